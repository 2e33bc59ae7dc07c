#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace drey::file {

// Who keeps a store within its bytes (D2, I4): one sum of all that its directory occupies, whatever
// it is for.
//
// Invariants:
//  - A byte is taken here before the system is asked for it, and given back after the system has it
//  again. So what the disk's blocks say is never more than `used`, and `used` never more than
//  `max`.
//  - Drafts and images leave room for two segments: the log can always begin one more, and what
//  makes room writes to the log (copies, deletes) before anything comes back.
//  - Charge is for what a file system takes beyond what was asked for (maps of fragmented files).
//  It cannot be refused, because it has happened; what is taken next pays for it.
//  - `max` goes down to a lower `goal` bit by bit, and never rises on its way: half of what comes
//  back is not given out again, so that whoever makes room for himself finds it without evicting
//  all that is too much, and every byte that changes hands brings it nearer.
class DiskLedger {
 public:
  // `ahead` is how much is to be free before anybody asks for it.
  DiskLedger(uint64_t max, uint64_t kept_for_log, uint64_t ahead = 0) noexcept
      : max_(max), goal_(max), kept_(kept_for_log), ahead_(ahead) {}
  DiskLedger(const DiskLedger&) = delete;
  DiskLedger& operator=(const DiskLedger&) = delete;

  enum class Use : uint8_t { kLog, kOther };

  [[nodiscard]] bool Take(uint64_t bytes, Use use) noexcept {
    const uint64_t most = MostFor(use);
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (bytes > most || used > most - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    uint64_t seen = most_used_.load(std::memory_order_relaxed);
    while (seen < used + bytes && !most_used_.compare_exchange_weak(seen, used + bytes)) {
    }
    return true;
  }
  void Charge(uint64_t bytes) noexcept { used_.fetch_add(bytes, std::memory_order_relaxed); }
  void Give(uint64_t bytes) noexcept {
    used_.fetch_sub(bytes, std::memory_order_relaxed);
    if (max() > goal()) Descend(bytes / 2);
  }
  // From here on it may be so much: at once where that is more, else as it comes down to it.
  void SetGoal(uint64_t goal, uint64_t ahead) noexcept {
    ahead_.store(ahead, std::memory_order_relaxed);
    goal_.store(goal, std::memory_order_relaxed);
    Raise();
    Descend(0);
  }

  // What has to go before Take of so much would succeed.
  uint64_t Missing(uint64_t bytes, Use use) const noexcept {
    const uint64_t most = MostFor(use);
    const uint64_t wanted = used() + bytes;
    return wanted > most ? wanted - most : 0;
  }
  // What has to go before there is room for the two segments and what else is usual (D7).
  uint64_t AboveHighMark() const noexcept {
    const uint64_t most = goal() > kept_ ? goal() - kept_ : 0;
    const uint64_t wanted = used() + ahead();
    return wanted > most ? wanted - most : 0;
  }
  uint64_t ahead() const noexcept { return ahead_.load(std::memory_order_relaxed); }

  uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  uint64_t max() const noexcept { return max_.load(std::memory_order_relaxed); }
  uint64_t goal() const noexcept { return goal_.load(std::memory_order_relaxed); }
  uint64_t most_used() const noexcept { return most_used_.load(std::memory_order_relaxed); }

 private:
  uint64_t MostFor(Use use) const noexcept {
    const uint64_t most = max();
    if (use == Use::kLog) return most;
    return most > kept_ ? most - kept_ : 0;
  }
  void Raise() noexcept {
    uint64_t most = max();
    while (most < goal() && !max_.compare_exchange_weak(most, goal(), std::memory_order_relaxed)) {
    }
  }
  // The log keeps its room whatever `retired` is.
  void Descend(uint64_t retired) noexcept {
    uint64_t most = max();
    while (true) {
      const uint64_t held = used();
      const uint64_t less = std::min(most - std::min(most, retired), held + 2 * kept_ + ahead());
      const bool there = held + kept_ <= goal();
      const uint64_t target = there ? goal() : std::max(held + kept_, less);
      if (target >= most) break;
      if (max_.compare_exchange_weak(most, target, std::memory_order_relaxed)) break;
    }
    // Somebody may have raised the goal meanwhile.
    Raise();
  }

  std::atomic<uint64_t> max_;
  std::atomic<uint64_t> goal_;
  const uint64_t kept_;
  std::atomic<uint64_t> ahead_;
  std::atomic<uint64_t> used_{0};
  std::atomic<uint64_t> most_used_{0};
};

}  // namespace drey::file
