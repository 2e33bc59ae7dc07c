#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "core/status.h"
#include "file_store/file_store.h"
#include "io/executor.h"

namespace drey::file {

// The file stores of a process, by directory: whoever attaches to one that is open already, from
// whatever thread, gets the same store, because a directory has one owner.
//
// Invariants:
//  - A store is open from the first Attach until the last Detach has returned; the registry has its
//  threads for so long, unless whoever attached first brought some.
//  - Stores are opened and closed one at a time: both wait for the disk, so neither is for an event
//  loop.
class FileStoreRegistry {
 public:
  // Opens the store of the directory, or gives the one that is open. Options that say what is kept
  // must be those of the first; with `workers` null, it gets `read_threads` for reading, and three
  // more.
  Result<std::shared_ptr<FileStore>> Attach(FileStoreOptions options,
                                            uint32_t read_threads) noexcept;
  // Ends one Attach; the last one closes the store, and says how that went.
  Status Detach(const std::shared_ptr<FileStore>& store) noexcept;
  // Stores that are open.
  size_t size() noexcept;

 private:
  // Of a folder: what its device says it is, whatever path leads to it.
  using Identity = std::pair<uint64_t, uint64_t>;
  struct Entry {
    // In this order: the threads end before what they run on goes.
    std::unique_ptr<Executor> executor;
    std::unique_ptr<ExecutorWorkers> workers;
    std::shared_ptr<FileStore> store;
    uint64_t users = 0;
  };

  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<Identity, Entry> entries_;
};

// That of the process.
FileStoreRegistry& OpenFileStores() noexcept;

}  // namespace drey::file
