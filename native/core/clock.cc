#include "core/clock.h"

#include <chrono>

namespace drey {
namespace {

class Steady final : public MonotonicClock {
 public:
  uint64_t Nanoseconds() noexcept override {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
  }

  void WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                 uint64_t deadline) noexcept override {
    // Nearer than the end of the clock's own numbers, which implementations add to and overflow.
    if (deadline >= static_cast<uint64_t>(INT64_MAX / 2)) {
      changed.wait(lock);
      return;
    }
    const auto since = std::chrono::nanoseconds(static_cast<int64_t>(deadline));
    changed.wait_until(lock,
                       std::chrono::steady_clock::time_point(
                           std::chrono::duration_cast<std::chrono::steady_clock::duration>(since)));
  }
};

}  // namespace

MonotonicClock& SteadyClock() noexcept {
  // Never destroyed: threads may still wait by it while the process exits.
  static auto* const clock = new Steady;
  return *clock;
}

}  // namespace drey
