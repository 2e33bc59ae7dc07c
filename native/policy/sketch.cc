#include "policy/sketch.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace drey {
namespace {

constexpr uint64_t kBlockBytes = 64;
constexpr uint64_t kEntriesPerBlock = 8;
constexpr uint64_t kLeastBlocks = 64;
constexpr uint64_t kMostBlocks = uint64_t{1} << 26;
// One entry is counted on for so many bytes of capacity, at most.
constexpr uint64_t kCapacityPerBlock = 1280 * kEntriesPerBlock;
constexpr int kRows = 4;
constexpr uint32_t kSaturated = 15;

// Uses for each entry of the cache after which all counters are halved.
constexpr uint64_t kUsesPerEntry = 10;
constexpr uint64_t kLeastEntries = 64;

// The bits that choose counters, independent of those that choose the block.
uint32_t Mix(uint32_t hash) noexcept {
  hash ^= hash >> 16;
  hash *= 0x85ebca6b;
  return hash ^ hash >> 13;
}

// A counter of each row, by five bits: the word of the row, and the counter in the word.
uint32_t WordOf(uint32_t bits) noexcept { return (bits >> 3) & 3; }
uint32_t ShiftOf(uint32_t bits) noexcept { return (bits & 7) * 4; }

}  // namespace

bool FrequencySketch::Reserve(SystemMemory& system, Ledger& ledger,
                              uint64_t most_entries) noexcept {
  most_reserved_ =
      std::clamp(std::bit_ceil(most_entries / kEntriesPerBlock + 1), kLeastBlocks, kMostBlocks);
  return memory_.Reserve(system, ledger, most_reserved_ * kBlockBytes);
}

void FrequencySketch::SetCapacity(uint64_t bytes) noexcept {
  most_blocks_ = std::clamp(bytes / kCapacityPerBlock, kLeastBlocks, most_reserved_);
}

Region::Growth FrequencySketch::Grow(uint64_t entries) noexcept {
  while (blocks_ == 0 || (entries > blocks_ * kEntriesPerBlock && blocks_ * 2 <= most_blocks_)) {
    const uint64_t blocks = blocks_ == 0 ? kLeastBlocks : blocks_ * 2;
    const Region::Growth growth = memory_.Grow(blocks * kBlockBytes);
    if (growth != Region::Growth::kDone) return growth;
    if (blocks_ == 0) {
      std::memset(memory_.data(), 0, blocks * kBlockBytes);
    } else {
      std::memcpy(memory_.data() + blocks_ * kBlockBytes, memory_.data(), blocks_ * kBlockBytes);
    }
    blocks_ = blocks;
  }
  return Region::Growth::kDone;
}

void FrequencySketch::Count(uint32_t hash, uint64_t entries) noexcept {
  if (blocks_ == 0) return;
  uint32_t* row = BlockOf(hash);
  uint32_t bits = Mix(hash);
  bool counted = false;
  for (int at = 0; at < kRows; at++, bits >>= 5, row += 4) {
    uint32_t& word = row[WordOf(bits)];
    const uint32_t shift = ShiftOf(bits);
    if (((word >> shift) & kSaturated) == kSaturated) continue;
    word += uint32_t{1} << shift;
    counted = true;
  }
  if (!counted) return;
  uses_ += 1;
  if (uses_ >= kUsesPerEntry * std::max(entries, kLeastEntries)) Age();
}

uint32_t FrequencySketch::Estimate(uint32_t hash) const noexcept {
  if (blocks_ == 0) return 0;
  const uint32_t* row = BlockOf(hash);
  uint32_t bits = Mix(hash);
  uint32_t least = kSaturated;
  for (int at = 0; at < kRows; at++, bits >>= 5, row += 4) {
    least = std::min(least, (row[WordOf(bits)] >> ShiftOf(bits)) & kSaturated);
  }
  return least;
}

void FrequencySketch::Age() noexcept {
  uint64_t odd = 0;
  for (uint64_t at = 0; at < blocks_ * kWordsPerBlock; at++) {
    const uint32_t word = table()[at];
    odd += static_cast<uint64_t>(std::popcount(word & 0x11111111));
    table()[at] = (word >> 1) & 0x77777777;
  }
  // A use is in four counters; of an odd counter the half is lost.
  const uint64_t lost = odd / kRows;
  uses_ = uses_ > lost ? (uses_ - lost) / 2 : 0;
}

}  // namespace drey
