#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "core/slice.h"
#include "core/status.h"
#include "io/env.h"

namespace drey {

// An open file, of which all is read and written that was asked for, or the Status says why not.
//
// Invariants:
//  - The descriptor is this object's alone, from opening to Close or the end of its life, and is
//  closed exactly once, through the Env that opened it.
//  - Reading, writing and syncing are safe from several threads at once. Closing and moving are
//  not: the owner sees to it that nobody else uses it then.
class File {
 public:
  File() noexcept = default;
  File(Env& env, int descriptor, std::string name) noexcept;
  // What a close fails with is lost here: who has written, and cares, calls Close.
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  bool is_open() const noexcept { return descriptor_ >= 0; }
  int descriptor() const noexcept { return descriptor_; }
  // For messages: the path as far as it is known.
  const std::string& name() const noexcept { return name_; }

  // Some systems say only here that bytes were not written (NFS, quotas). Closed it is either way.
  Status Close() noexcept;

  // As much as there is up to the end of the file, at most all of `bytes`: the number of bytes.
  Result<uint64_t> ReadUpTo(uint64_t offset, std::span<uint8_t> bytes) const noexcept;
  // All of `bytes`; kCorrupt when the file ends before.
  Status ReadFull(uint64_t offset, std::span<uint8_t> bytes) const noexcept;

  enum class Cached : uint8_t {
    kDone,
    // Some of it would have to be waited for, or is not there. `bytes` are undefined.
    kWouldBlock,
    // This file cannot be read so: it is not tried again.
    kUnsupported,
    // The read that waits says why.
    kFailed,
  };
  // All of `bytes` from the page cache, without waiting for a disk and without any allocation.
  Cached ReadCached(uint64_t offset, std::span<uint8_t> bytes) const noexcept;

  // All of it, or a failure after which any part of it may have been written.
  Status WriteFull(uint64_t offset, Slice bytes) noexcept;
  // One after the other, without gaps.
  Status WriteFull(uint64_t offset, std::span<const Slice> slices) noexcept;

  // See Env: after a failure, what was written since the last success must be taken for lost.
  Status SyncData() noexcept;
  Status Sync() noexcept;
  Status Truncate(uint64_t size) noexcept;
  // False where the file system cannot, which is no failure.
  Result<bool> Allocate(uint64_t offset, uint64_t bytes, Env::Allocation allocation) noexcept;
  Result<bool> Punch(uint64_t offset, uint64_t bytes) noexcept;
  Result<NodeInfo> Stat() const noexcept;
  // Hints: that they were not taken is nobody's concern.
  void Advise(uint64_t offset, uint64_t bytes, Env::Advice advice) const noexcept;
  void StartWriteback(uint64_t offset, uint64_t bytes) const noexcept;

 private:
  Status Failure(int error, const char* tried) const;
  Status Failure(int error, const char* tried, uint64_t offset, uint64_t bytes) const;

  Env* env_ = nullptr;
  int descriptor_ = -1;
  std::string name_;
  // Set once, by whichever thread found out.
  mutable std::atomic<bool> uncached_ = false;
};

}  // namespace drey
