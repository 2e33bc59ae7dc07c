#pragma once

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
class DiskLedger {
 public:
  // `ahead` is how much is to be free before anybody asks for it.
  DiskLedger(uint64_t max, uint64_t kept_for_log, uint64_t ahead = 0) noexcept
      : max_(max), kept_(kept_for_log), ahead_(ahead) {}
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
  void Give(uint64_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }

  // What has to go before Take of so much would succeed.
  uint64_t Missing(uint64_t bytes, Use use) const noexcept {
    const uint64_t most = MostFor(use);
    const uint64_t wanted = used() + bytes;
    return wanted > most ? wanted - most : 0;
  }
  // What has to go before there is room for the two segments and what else is usual (D7).
  uint64_t AboveHighMark() const noexcept { return Missing(ahead_, Use::kOther); }
  uint64_t ahead() const noexcept { return ahead_; }

  uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  uint64_t max() const noexcept { return max_; }
  uint64_t most_used() const noexcept { return most_used_.load(std::memory_order_relaxed); }

 private:
  uint64_t MostFor(Use use) const noexcept {
    if (use == Use::kLog) return max_;
    return max_ > kept_ ? max_ - kept_ : 0;
  }

  const uint64_t max_;
  const uint64_t kept_;
  const uint64_t ahead_;
  std::atomic<uint64_t> used_{0};
  std::atomic<uint64_t> most_used_{0};
};

}  // namespace drey::file
