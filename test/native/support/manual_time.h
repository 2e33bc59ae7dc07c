#pragma once

#include <atomic>
#include <chrono>

#include "core/clock.h"

namespace drey::test {

// Time that stands still until it is told to go on.
class ManualTime final : public MonotonicClock {
 public:
  uint64_t Nanoseconds() noexcept override { return now_; }
  // Who waits looks again every now and then: the time that passes says nothing.
  void WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                 uint64_t) noexcept override {
    waiting_ += 1;
    changed.wait_for(lock, std::chrono::milliseconds(1));
    waiting_ -= 1;
  }
  void Advance(uint64_t nanoseconds) noexcept { now_ += nanoseconds; }
  int waiting() const noexcept { return waiting_; }

 private:
  std::atomic<uint64_t> now_ = 1'000'000'000;
  std::atomic<int> waiting_ = 0;
};

}  // namespace drey::test
