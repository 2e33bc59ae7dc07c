#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "core/clock.h"

namespace drey {

// So many bytes a second for work in the background: a token bucket, kept as the moment at which it
// would be full again (J. Turner's leaky bucket as a meter; "GCRA" in ITU-T I.371).
//
// Invariant: over any time t no more than rate × t + max(burst, the largest piece) bytes are let
// pass, each counted when its wait ends. Pieces pass in the order in which they were taken. Safe
// from any thread.
class RateLimit {
 public:
  // `bytes_per_second` 0 is without limit.
  RateLimit(MonotonicClock& clock, uint64_t bytes_per_second, uint64_t burst) noexcept;
  RateLimit(const RateLimit&) = delete;
  RateLimit& operator=(const RateLimit&) = delete;

  // Takes `bytes` and says after how many nanoseconds they may be used.
  uint64_t Take(uint64_t bytes) noexcept;
  // Takes `bytes` and waits until they may be used; false when the limit is closed meanwhile.
  [[nodiscard]] bool Wait(uint64_t bytes) noexcept;
  // Begins anew, with nothing owed; who waits goes on at once.
  void SetRate(uint64_t bytes_per_second, uint64_t burst) noexcept;
  // Nobody waits any more.
  void Close() noexcept;

 private:
  uint64_t TakeLocked(uint64_t bytes) noexcept;
  uint64_t CostOf(uint64_t bytes) const noexcept;

  MonotonicClock& clock_;
  std::mutex mutex_;
  // Guarded by mutex_, all below.
  std::condition_variable changed_;
  uint64_t rate_;
  uint64_t burst_;
  // When the bucket is full, in nanoseconds of the clock.
  uint64_t full_at_ = 0;
  // Of the rate: what waits by an older one waits no more.
  uint64_t generation_ = 0;
  bool closed_ = false;
};

}  // namespace drey
