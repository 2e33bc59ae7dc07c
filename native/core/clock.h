#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace drey {

// Time that only goes forward, behind a seam, so that tests can say what time it is. It says how
// long something takes; it orders nothing, and nothing of it is kept on a disk.
class MonotonicClock {
 public:
  virtual ~MonotonicClock() = default;

  // Since some moment that is the same for all calls.
  virtual uint64_t Nanoseconds() noexcept = 0;

  // Waits with `lock` until `changed` is notified or the time is `deadline`, whichever is first.
  // May return earlier for no reason, so the caller looks again.
  virtual void WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                         uint64_t deadline) noexcept = 0;

  // A deadline that never comes.
  static constexpr uint64_t kNever = UINT64_MAX;
};

// The real one. It has no state.
MonotonicClock& SteadyClock() noexcept;

}  // namespace drey
