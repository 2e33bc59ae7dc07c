#include "io/rate_limit.h"

#include <algorithm>

namespace drey {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
// Faster is without limit, and keeps the arithmetic below within 64 bits.
constexpr uint64_t kFastest = UINT64_MAX / kSecond;

uint64_t Plus(uint64_t left, uint64_t right) noexcept {
  return left > UINT64_MAX - right ? UINT64_MAX : left + right;
}

}  // namespace

RateLimit::RateLimit(MonotonicClock& clock, uint64_t bytes_per_second, uint64_t burst) noexcept
    : clock_(clock), rate_(bytes_per_second > kFastest ? 0 : bytes_per_second), burst_(burst) {}

uint64_t RateLimit::Take(uint64_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  return TakeLocked(bytes);
}

bool RateLimit::Wait(uint64_t bytes) noexcept {
  std::unique_lock lock(mutex_);
  const uint64_t wait = TakeLocked(bytes);
  const uint64_t until = Plus(clock_.Nanoseconds(), wait);
  const uint64_t generation = generation_;
  while (!closed_ && generation_ == generation && clock_.Nanoseconds() < until) {
    clock_.WaitUntil(changed_, lock, until);
  }
  return !closed_;
}

void RateLimit::SetRate(uint64_t bytes_per_second, uint64_t burst) noexcept {
  const std::lock_guard lock(mutex_);
  rate_ = bytes_per_second > kFastest ? 0 : bytes_per_second;
  burst_ = burst;
  full_at_ = 0;
  generation_ += 1;
  changed_.notify_all();
}

void RateLimit::Close() noexcept {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

uint64_t RateLimit::TakeLocked(uint64_t bytes) noexcept {
  if (rate_ == 0) return 0;
  const uint64_t now = clock_.Nanoseconds();
  full_at_ = Plus(std::max(full_at_, now), CostOf(bytes));
  const uint64_t allowed = Plus(now, CostOf(burst_));
  return full_at_ > allowed ? full_at_ - allowed : 0;
}

uint64_t RateLimit::CostOf(uint64_t bytes) const noexcept {
  const uint64_t seconds = bytes / rate_;
  if (seconds > UINT64_MAX / kSecond - 1) return UINT64_MAX;
  return seconds * kSecond + bytes % rate_ * kSecond / rate_;
}

}  // namespace drey
