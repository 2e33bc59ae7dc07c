#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "core/tag_floors.h"
#include "memory/ledger.h"

namespace drey {

// What was invalidated by tag in a store that threads share: one list for all of them.
//
// Invariants: what `version` and `sequence` say is in the list already. What the list takes is in
// the ledger, and is at most a 64th of the store's bound.
// Safe from any thread; nothing is called while the mutex is held.
class SharedTags {
 public:
  SharedTags(Ledger& ledger, uint64_t max_bytes) noexcept
      : ledger_(ledger),
        floors_(std::clamp<uint64_t>(max_bytes / 64, 16 * 1024, 4 * 1024 * 1024), kEach) {}
  ~SharedTags() { ledger_.Give(charged_); }
  SharedTags(const SharedTags&) = delete;
  SharedTags& operator=(const SharedTags&) = delete;

  uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }
  uint64_t sequence() const noexcept { return sequence_.load(std::memory_order_acquire); }

  void Invalidate(std::span<const TagFloor> given, uint64_t least) {
    const std::lock_guard lock(mutex_);
    floors_.Invalidate(given, least);
    Settle();
  }
  void Join(std::span<const TagFloor> given, uint64_t sequence) {
    const std::lock_guard lock(mutex_);
    floors_.Join(given, sequence);
    Settle();
  }
  std::vector<TagFloor> Since(uint64_t version) const {
    const std::lock_guard lock(mutex_);
    return floors_.Since(version);
  }

 private:
  // Nodes of list and map, with what malloc adds.
  static constexpr uint64_t kEach = 224;

  void Settle() noexcept {
    ledger_.Charge(floors_.bytes());
    ledger_.Give(charged_);
    charged_ = floors_.bytes();
    sequence_.store(floors_.sequence(), std::memory_order_release);
    version_.store(floors_.version(), std::memory_order_release);
  }

  Ledger& ledger_;
  mutable std::mutex mutex_;
  // Guarded by mutex_, both.
  TagFloors floors_;
  uint64_t charged_ = 0;
  std::atomic<uint64_t> version_{0};
  std::atomic<uint64_t> sequence_{0};
};

}  // namespace drey
