#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/slice.h"
#include "memory/ledger.h"

namespace drey {

// The keys of entries that left by the store's own doing, for those who want to be told: kept until
// they are taken, in the order in which the entries left.
//
// Invariants:
//  - While nobody listens nothing is kept, and an eviction costs one relaxed load.
//  - There are never more than kMostKeys keys, nor more bytes of keys than kMostBytes or a
//  sixteenth of the store's bound; what is beyond that is counted and not told. What is kept is in
//  the ledger.
// Safe from any thread. Keys are added under a shard's lock, so the mutex is taken after that, and
// nothing is called while it is held.
class Evictions {
 public:
  struct Left {
    std::vector<uint8_t> key;
    // It was of no more use to anybody; else it made room.
    bool expired;
  };
  using List = std::vector<Left>;

  static constexpr uint64_t kMostKeys = 65536;
  static constexpr uint64_t kMostBytes = 4 * 1024 * 1024;

  explicit Evictions(Ledger& ledger) noexcept : ledger_(ledger) {}
  ~Evictions() { Forget(); }
  Evictions(const Evictions&) = delete;
  Evictions& operator=(const Evictions&) = delete;

  // Counted: as many calls with false as with true, and nobody listens. What nobody took by then
  // is forgotten.
  void Listen(bool on);
  bool heard() const noexcept { return listeners_.load(std::memory_order_relaxed) != 0; }
  void Add(Slice key, bool expired);
  List Take();
  // Whether one more would be told, however long its key is.
  bool HasRoom();
  // How many were not told because too many waited to be taken.
  uint64_t untold() const noexcept { return untold_.load(std::memory_order_relaxed); }

 private:
  static uint64_t CostOf(Slice key) noexcept { return sizeof(Left) + HeapCost(key.size()); }
  uint64_t MostBytes() const noexcept { return std::min(kMostBytes, ledger_.max() / 16); }
  void Forget() noexcept;

  Ledger& ledger_;
  std::atomic<uint32_t> listeners_{0};
  std::atomic<uint64_t> untold_{0};
  std::mutex mutex_;
  // Guarded by mutex_, all below.
  List list_;
  uint64_t bytes_ = 0;
  uint64_t charged_ = 0;
};

}  // namespace drey
