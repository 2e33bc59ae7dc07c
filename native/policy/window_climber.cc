#include "policy/window_climber.h"

#include <cmath>

namespace drey {
namespace {

// How far the first step goes, as a share of the capacity.
constexpr double kStep = 0.0625;
// What the next step in the same direction is of the last one.
constexpr double kDecay = 0.98;
// A change of the hit ratio as large as this means that the workload is another: steps begin anew.
constexpr double kRestart = 0.05;

}  // namespace

WindowClimber::WindowClimber(uint64_t capacity) noexcept
    : capacity_(static_cast<double>(capacity)), step_(kStep * capacity_) {}

int64_t WindowClimber::Climb(uint64_t size) noexcept {
  const uint64_t uses = hits_ + misses_;
  if (uses < size) return 0;
  const double hit_ratio = static_cast<double>(hits_) / static_cast<double>(uses);
  const double change = hit_ratio - hit_ratio_;
  const double amount = change >= 0 ? step_ : -step_;
  const double restart = amount >= 0 ? kStep * capacity_ : -kStep * capacity_;
  step_ = std::abs(change) >= kRestart ? restart : kDecay * amount;
  hit_ratio_ = hit_ratio;
  hits_ = 0;
  misses_ = 0;
  return static_cast<int64_t>(amount);
}

}  // namespace drey
