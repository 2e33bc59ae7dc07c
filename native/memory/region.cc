#include "memory/region.h"

#include <algorithm>
#include <bit>

namespace drey {
namespace {

constexpr uint64_t kLargestStep = 64 * 1024;

constexpr uint64_t RoundUp(uint64_t bytes, uint64_t to) noexcept {
  return (bytes + to - 1) / to * to;
}

}  // namespace

Region::~Region() {
  if (start_ == nullptr) return;
  ledger_->Give(committed_);
  system_->Release(start_, reserved_);
}

bool Region::Reserve(SystemMemory& system, Ledger& ledger, uint64_t bytes) noexcept {
  system_ = &system;
  ledger_ = &ledger;
  const uint64_t rounded = RoundUp(bytes, std::max(system.Granularity(), kLargestStep));
  start_ = system.Reserve(rounded);
  reserved_ = start_ == nullptr ? 0 : rounded;
  return start_ != nullptr;
}

// A sixteenth of what is there: few system calls for a large table, little waste in a small one.
uint64_t Region::Step() const noexcept {
  const uint64_t least = system_->Granularity();
  return std::clamp(std::bit_floor(committed_ / 16 + 1), least, std::max(least, kLargestStep));
}

Region::Growth Region::Grow(uint64_t bytes) noexcept {
  if (bytes <= committed_) return Growth::kDone;
  if (bytes > reserved_) return Growth::kNoRoom;
  const uint64_t target = std::min(RoundUp(bytes, Step()), reserved_);
  const uint64_t more = target - committed_;
  if (!ledger_->Take(more)) return Growth::kNoRoom;
  if (!system_->Commit(start_ + committed_, more)) {
    ledger_->Give(more);
    return Growth::kRefused;
  }
  committed_ = target;
  return Growth::kDone;
}

void Region::Shrink(uint64_t bytes) noexcept {
  const uint64_t keep = RoundUp(bytes, Step());
  if (keep >= committed_) return;
  system_->GiveBack(start_ + keep, committed_ - keep);
  ledger_->Give(committed_ - keep);
  committed_ = keep;
}

}  // namespace drey
