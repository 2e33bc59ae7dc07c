#include "memory_store/records.h"

#include <algorithm>

namespace drey {

Region::Growth Records::Prepare() noexcept {
  if (free_ > 0) return Region::Growth::kDone;
  const Region::Growth growth = records_.Grow((uint64_t{end_} + 1) * sizeof(Record));
  if (growth != Region::Growth::kDone) return growth;
  return locations_.Grow((uint64_t{end_} + 1) * sizeof(uint32_t));
}

uint32_t Records::Take() noexcept {
  if (free_ == 0) {
    if (end_ % kBlock == 0) {
      const uint64_t before = HeapCost(blocks_.capacity() * sizeof(Block));
      blocks_.emplace_back();
      ledger_.Charge(HeapCost(blocks_.capacity() * sizeof(Block)) - before);
    }
    return end_++;
  }
  while (blocks_[lowest_].free == 0) lowest_ += 1;
  Block& block = blocks_[lowest_];
  const uint32_t handle = block.first_free;
  block.first_free = (*this)[handle].hash;
  block.free -= 1;
  free_ -= 1;
  return handle;
}

void Records::Free(uint32_t handle) noexcept {
  const uint32_t at = handle / kBlock;
  Block& block = blocks_[at];
  SetLocation(handle, kNoLocation, false);
  (*this)[handle].hash = block.first_free;
  block.first_free = handle;
  block.free += 1;
  free_ += 1;
  lowest_ = std::min(lowest_, at);
  if (block.free == kBlock) Trim();
}

uint32_t Records::UpperUsed() noexcept {
  constexpr int kLookedAt = 64;
  // Below the middle is where they are wanted.
  if (upper_ > end_ || upper_ <= end_ / 2) upper_ = end_;
  for (int looked = 0; looked < kLookedAt && upper_ > end_ / 2; looked++) {
    upper_ -= 1;
    if (Used(upper_)) return upper_;
  }
  return kNoHandle;
}

// Keeps one empty block, so that a count that goes up and down by one does not call the system each
// time.
void Records::Trim() noexcept {
  const auto empty = [&](size_t at) {
    return blocks_[at].free == std::min(kBlock, end_ - static_cast<uint32_t>(at) * kBlock);
  };
  bool trimmed = false;
  while (blocks_.size() >= 2 && empty(blocks_.size() - 1) && empty(blocks_.size() - 2)) {
    free_ -= blocks_.back().free;
    blocks_.pop_back();
    end_ = static_cast<uint32_t>(blocks_.size()) * kBlock;
    trimmed = true;
  }
  lowest_ = std::min(lowest_, static_cast<uint32_t>(blocks_.size()) - 1);
  if (!trimmed) return;
  records_.Shrink(uint64_t{end_} * sizeof(Record));
  locations_.Shrink(uint64_t{end_} * sizeof(uint32_t));
}

}  // namespace drey
