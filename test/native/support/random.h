#pragma once

#include <cstdint>

namespace drey::test {

// A small generator that is the same everywhere: xorshift64*.
class Random {
 public:
  explicit Random(uint64_t seed) noexcept : state_(seed * 2654435761u + 88172645463325252u) {}
  uint64_t Next() noexcept {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 2685821657736338717u;
  }
  uint64_t Below(uint64_t bound) noexcept { return (Next() >> 11) % bound; }

 private:
  uint64_t state_;
};

}  // namespace drey::test
