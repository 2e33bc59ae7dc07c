#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace drey {

// Who keeps a store within its bound (I4): one sum of all bytes that the store has committed,
// whatever they are for.
//
// Invariants:
//  - Pages and regions are taken with Take before they are committed, and given back after: while
//    nobody lowers the bound, `used` never passes it on their account.
//  - Charge is for the small things that cannot be refused (a record of a fill, a list of pieces).
//    Take leaves headroom for them, a 256th of the bound. Where they pass the bound all the same,
//    Over() holds, every Take fails, and the store makes room at once, or before it stores anything
//    more.
//  - What is withheld is not used while it is, and is no less the store's: the bound comes back
//    when it is withheld no more.
class Ledger {
 public:
  explicit Ledger(uint64_t max) noexcept : max_(max) {}

  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  [[nodiscard]] bool Take(uint64_t bytes) noexcept {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (!HasRoom(used, bytes)) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }

  // Whether Take would have succeeded a moment ago.
  bool MayTake(uint64_t bytes) const noexcept { return HasRoom(used(), bytes); }

  void Charge(uint64_t bytes) noexcept { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void Give(uint64_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  // Acquired and released, so that who sees a bound sees what was written before it was set.
  uint64_t max() const noexcept { return max_.load(std::memory_order_acquire); }
  uint64_t withheld() const noexcept { return withheld_.load(std::memory_order_relaxed); }
  // What is kept to now.
  uint64_t bound() const noexcept {
    const uint64_t most = max();
    return most - std::min(most, withheld());
  }
  bool Over() const noexcept { return used() > bound(); }
  void SetMax(uint64_t max) noexcept { max_.store(max, std::memory_order_release); }
  void Withhold(uint64_t bytes) noexcept { withheld_.store(bytes, std::memory_order_relaxed); }
  // There is no more memory than what is used. What is withheld was given up unasked, and may be
  // there.
  void LowerToUsed() noexcept { SetMax(std::min(max(), used() + withheld())); }

 private:
  bool HasRoom(uint64_t used, uint64_t bytes) const noexcept {
    const uint64_t max = bound();
    const uint64_t most = max - (max < kLeastStore ? 0 : std::min(max / 256, kMostHeadroom));
    return bytes <= most && used <= most - bytes;
  }

  // What is smaller is no store's.
  static constexpr uint64_t kLeastStore = 1024 * 1024;
  static constexpr uint64_t kMostHeadroom = 256 * 1024;

  std::atomic<uint64_t> used_{0};
  std::atomic<uint64_t> max_;
  std::atomic<uint64_t> withheld_{0};
};

// Bytes that malloc takes for a block of `bytes`: its own word, and rounding up to 16.
constexpr uint64_t HeapCost(uint64_t bytes) noexcept {
  return bytes == 0 ? 0 : ((bytes + 8 + 15) & ~uint64_t{15});
}

}  // namespace drey
