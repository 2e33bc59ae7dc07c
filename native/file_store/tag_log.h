#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "core/status.h"
#include "core/tag_floors.h"
#include "file_store/disk_ledger.h"
#include "file_store/format/context.h"
#include "io/folder.h"

namespace drey::file {

// What was invalidated by tag in a directory, for all threads that have it open, and for whoever
// opens it next (docs/decisions/0009-tags.md; docs/disk-format.md, section 12).
//
// A file of frames, each of which says what has changed. When it is full, or writing to it failed,
// another one with everything takes its place; what is in both counts, for it only rises.
//
// Invariants:
//  - An invalidation holds in this process from Invalidate on, whatever becomes of its writing.
//  - `kept` is only ever what a whole frame in a file says that is not going to be removed before
//  another one says as much, synced where that was promised.
//  - There are at most kMostFiles files, or those that an open found and one more, and what they
//  may take is in the ledger before the first is made.
// Safe from any thread. Who writes holds writing_, and takes mutex_ for moments only.
class TagLog {
 public:
  struct Settings {
    // What the store may occupy.
    uint64_t max_bytes = 0;
    // A frame is synced before it counts as kept. Otherwise only the first one in a file is, and
    // the next, which says that those behind it are not: so that nobody is left to guess.
    bool synced = false;
    // Zeros where there is none.
    Bytes16 boot_id{};
  };
  // Takes so many bytes of the ledger, making room if need be.
  using Reserve = std::function<bool(uint64_t bytes)>;

  // One that is written, and what an open found: one, or two where the last owner died replacing.
  static constexpr uint64_t kMostFiles = 3;

  TagLog(const Folder& log, const Context& context, const Settings& settings, DiskLedger& ledger,
         Reserve reserve) noexcept;
  TagLog(const TagLog&) = delete;
  TagLog& operator=(const TagLog&) = delete;

  // Reads what is there. `clean`: the last owner closed the directory, so nothing of it was being
  // written. Waits for the disk. A failure to write leaves everything invalidated that may have
  // been, here.
  Status Open(bool clean) noexcept;

  // Rises with every change.
  uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  // The number of the last invalidation, and of the last that is kept.
  uint64_t sequence() const noexcept { return sequence_.load(std::memory_order_acquire); }
  uint64_t kept() const noexcept { return kept_.load(std::memory_order_acquire); }

  void Invalidate(std::span<const TagFloor> given, uint64_t least);
  void Join(std::span<const TagFloor> given, uint64_t sequence);
  std::vector<TagFloor> Since(uint64_t version) const;

  // Writes what was not written yet. Waits for the disk.
  Status Keep() noexcept;
  // The same, and whatever was written is synced: nothing is lost when the power goes after it.
  Status Sync() noexcept;

  // Whether frames are synced before they count as kept, from here on.
  void SetSynced(bool synced) noexcept;

  // Of files, that were not what was written.
  uint64_t damaged_bytes() const noexcept { return damaged_bytes_; }

 private:
  // Adds to `taken` what the file occupies.
  Status Read(uint64_t number, bool clean, uint64_t* taken) noexcept;
  Status KeepLocked();
  Status Append(std::span<const TagFloor> floors, uint64_t sequence, bool open);
  // Everything, in a new file.
  Status Rewrite(std::span<const TagFloor> all, uint64_t sequence);
  void RemoveGone();
  void Changed();
  uint64_t FileAllowance() const noexcept;
  uint64_t Allowance() const noexcept;

  const Folder& log_;
  const Context& context_;
  // `synced` guarded by writing_.
  Settings settings_;
  // Bytes of a file.
  const uint64_t most_;
  DiskLedger& ledger_;
  const Reserve reserve_;

  mutable std::mutex mutex_;
  // Guarded by mutex_.
  TagFloors floors_;
  std::atomic<uint64_t> version_{0};
  std::atomic<uint64_t> sequence_{0};
  std::atomic<uint64_t> kept_{0};

  std::mutex writing_;
  // Guarded by writing_, all below.
  File file_;
  uint64_t number_ = 0;
  uint64_t end_ = 0;
  // The last frame of the file says that frames behind it may not be synced.
  bool open_ = false;
  // Of floors_, that a file has.
  uint64_t kept_version_ = 0;
  uint64_t next_number_ = 1;
  bool reserved_ = false;
  // An owner that dies replacing leaves one more: the next one must be able to replace them all.
  uint64_t most_files_ = kMostFiles;
  // Files that the next whole one replaces, and those that are replaced and were not removed yet.
  std::vector<uint64_t> old_;
  std::vector<uint64_t> gone_;
  uint64_t damaged_bytes_ = 0;
  // What was written last may be lost: by the last whole frame.
  bool lost_ = false;
};

}  // namespace drey::file
