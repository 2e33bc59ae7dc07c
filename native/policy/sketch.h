#pragma once

#include <cstdint>

#include "memory/region.h"

namespace drey {

// How often keys were used lately, whether they are in the cache or not: a count-min sketch in
// blocks of 64 bytes, halved from time to time. Described in lib/policy/sketch.ts, with its bound.
//
// Without memory for a larger table it keeps the one it has, and estimates are too high more often;
// without any, they are 0.
class FrequencySketch {
 public:
  FrequencySketch() noexcept = default;
  FrequencySketch(const FrequencySketch&) = delete;
  FrequencySketch& operator=(const FrequencySketch&) = delete;

  [[nodiscard]] bool Reserve(SystemMemory& system, Ledger& ledger, uint64_t most_entries) noexcept;
  void SetCapacity(uint64_t bytes) noexcept;

  // Prepares for a cache of so many entries. Anything but kDone: there was no memory for it.
  Region::Growth Grow(uint64_t entries) noexcept;
  // Counts one use of the key with that hash. `entries` are in the cache.
  void Count(uint32_t hash, uint64_t entries) noexcept;
  // Sends for what Count and Estimate of that hash will look at.
  void Expect(uint32_t hash) const noexcept {
    if (blocks_ != 0) __builtin_prefetch(BlockOf(hash), 1);
  }
  // How often the key with that hash was used lately: 0 to 15.
  uint32_t Estimate(uint32_t hash) const noexcept;

  uint64_t MemoryBytes() const noexcept { return memory_.committed(); }

 private:
  uint32_t* table() const noexcept { return reinterpret_cast<uint32_t*>(memory_.data()); }
  // A block has 16 words: 128 counters of 4 bits, the size of a processor's cache line.
  static constexpr uint64_t kWordsPerBlock = 16;
  uint32_t* BlockOf(uint32_t hash) const noexcept {
    return table() + (hash & (blocks_ - 1)) * kWordsPerBlock;
  }
  void Age() noexcept;

  Region memory_;
  uint64_t most_reserved_ = 0;
  uint64_t most_blocks_ = 0;
  // A power of two, or 0 before there is memory.
  uint64_t blocks_ = 0;
  uint64_t uses_ = 0;
};

}  // namespace drey
