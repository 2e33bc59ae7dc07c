#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/status.h"
#include "file_store/format/directory_header.h"
#include "file_store/format/names.h"
#include "io/env.h"
#include "io/folder.h"

namespace drey::file {

// The folders of a store. Everything in them is named through their descriptors, so what becomes of
// the path later changes nothing.
class Directory {
 public:
  // Opens the directory, or makes one of an empty folder or of none; refuses, and leaves untouched,
  // what is not empty and not drey's, or of a newer format. Nothing but the file DREY is made.
  static Result<std::unique_ptr<Directory>> Open(Env& env, const std::string& path,
                                                 uint32_t partitions, uint64_t now) noexcept;
  // Makes and opens what else there is in it: to be called with the lock.
  Status OpenLog() noexcept;

  Env& env() const noexcept { return root_.env(); }
  const DirectoryHeader& header() const noexcept { return header_; }
  const Folder& root() const noexcept { return root_; }
  const Folder& log() const noexcept { return log_; }
  // The folder of a partition; made when it is wanted first.
  Result<const Folder*> Partition(uint32_t partition) noexcept;
  // Those that are there.
  std::vector<uint32_t> Partitions() noexcept;
  // Opens the partitions' folders that are on the disk.
  Status FindPartitions() noexcept;

 private:
  Folder root_;
  DirectoryHeader header_;
  Folder log_;

  std::mutex mutex_;
  // Guarded by mutex_. A folder that is there stays where it is.
  std::vector<std::unique_ptr<Folder>> partitions_;
};

}  // namespace drey::file
