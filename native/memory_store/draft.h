#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/slice.h"
#include "memory_store/body.h"
#include "memory_store/metadata.h"
#include "memory_store/pass.h"

namespace drey {

class MemoryStore;
class Shard;

// An entry that is being written and that nobody finds yet. One thread writes; any may read what
// has been written, as long as it shares the draft.
//
// Invariants:
//  - Bytes below size() are written and never change. size() is published after the bytes are.
//  - What was read by View stays valid until the last share of the draft is gone, past commit and
//  abort.
//  - Until it has ended the draft's pass is in its shard's table; it ends once, by commit, by
//  abort, by its owner's
//    death, or with its last share.
class Draft {
 public:
  // MemoryStore::Begin makes them.
  Draft(std::shared_ptr<MemoryStore> store, Shard& shard, std::shared_ptr<Pass> pass,
        uint64_t declared, bool one_call);
  ~Draft();
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  enum class Outcome : uint8_t {
    kDone,
    // There is no room, even after evicting all that may be.
    kNoRoom,
    // The value would pass maxItemBytes, or etag and user kMostTextBytes.
    kTooLarge,
    // A delete, clear or write came between.
    kFenced,
    // It was committed or aborted before.
    kEnded,
  };

  // For the writer. All of `bytes`, or nothing. kNoRoom with `again`: the call will be made again
  // with the same bytes, at last without; what room there was is kept for it, and nothing is
  // counted.
  Outcome Append(Slice bytes, bool again = false);
  // Makes the value visible under its key, unless its pass is fenced; both in one step. Whatever
  // the outcome, the draft has ended then, but for kNoRoom with `again`.
  Outcome Commit(const Metadata& metadata, bool again = false);
  // From any thread.
  void Abort() noexcept;

  // For readers.
  uint64_t size() const noexcept { return size_.load(std::memory_order_acquire); }
  // Copies from `position` on; returns how many bytes that were.
  uint64_t Read(uint64_t position, std::span<uint8_t> to) const noexcept;
  // The bytes from `position` on, of those that lie together: always inside the store's arena.
  Slice View(uint64_t position) const noexcept;
  // What the writer said the size would be; kUnknown when it did not.
  uint64_t declared() const noexcept { return declared_; }

  static constexpr uint64_t kUnknown = UINT64_MAX;

 private:
  // It commits several at once.
  friend class MemoryStore;

  Outcome Reserve(uint64_t room, bool again);
  Outcome CommitLocked(const Metadata& metadata, bool again);
  void EndLocked() noexcept;
  void TellAborted() noexcept;

  const std::shared_ptr<MemoryStore> store_;
  Shard& shard_;
  const std::shared_ptr<Pass> pass_;
  const uint64_t declared_;
  // Of a value that is set in one call: it ends its pass only by being committed.
  const bool one_call_;
  Body* const body_;
  std::atomic<uint64_t> size_{0};

  // Guards the body's list of pieces, beside the shard's lock.
  mutable std::mutex growing_;

  // Guarded by the shard's lock.
  bool ended_ = false;
  std::vector<Piece> retired_;
};

}  // namespace drey
