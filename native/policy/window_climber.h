#pragma once

#include <cstdint>

namespace drey {

// How large W-TinyLFU's window should be, found by hill climbing. Described in
// lib/policy/window-climber.ts.
//
// The same arithmetic as there, so that both round alike; no product is added to anything here,
// which a compiler could do in one rounding instead of two.
class WindowClimber {
 public:
  explicit WindowClimber(uint64_t capacity) noexcept;

  void SetCapacity(uint64_t capacity) noexcept { capacity_ = static_cast<double>(capacity); }
  void Hit() noexcept { hits_ += 1; }
  void Miss() noexcept { misses_ += 1; }
  // By how many bytes the window should grow now. 0 until a sample of `size` uses has passed.
  int64_t Climb(uint64_t size) noexcept;

 private:
  double capacity_;
  double step_;
  double hit_ratio_ = 0;
  uint64_t hits_ = 0;
  uint64_t misses_ = 0;
};

}  // namespace drey
