#pragma once

#include <cstdint>
#include <vector>

#include "index/hash_index.h"
#include "memory/region.h"
#include "memory/slab.h"
#include "policy/policy.h"

namespace drey {

// What is known of an entry without looking at it. Its number, the handle, does not change while
// the entry lives, so the policy's links, the index and scans go by it, and the entry itself can be
// moved to another slot.
struct Record {
  // The half of the key's hash that the index goes by; of a free record, the next free one of its
  // block.
  uint32_t hash;
  PolicyNode node;
};

// The records of one shard, by handle.
//
// Locations lie apart from the rest: a lookup wants only them, and so many more of them are in the
// processor's cache.
//
// Invariants: records [0, end()) are used or in the free list of their block of 512. The lowest
// block with a free one is taken from, so that after a time of many entries the upper blocks empty,
// and are given back; entries that stay for long are given lower handles to that end
// (Shard::Renumber). Not for several threads: the shard's lock guards it.
class Records {
 public:
  explicit Records(Ledger& ledger) noexcept : ledger_(ledger) {}
  ~Records() { ledger_.Give(HeapCost(blocks_.capacity() * sizeof(Block))); }
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  [[nodiscard]] bool Reserve(SystemMemory& system, uint64_t most) noexcept {
    return records_.Reserve(system, ledger_, most * sizeof(Record)) &&
           locations_.Reserve(system, ledger_, most * sizeof(uint32_t));
  }

  // Makes sure that the next Take has what to take.
  Region::Growth Prepare() noexcept;
  uint32_t Take() noexcept;
  void Free(uint32_t handle) noexcept;

  Record& operator[](uint32_t handle) const noexcept {
    return reinterpret_cast<Record*>(records_.data())[handle];
  }
  // Where the entry is; kNoLocation while the record is free.
  Location LocationOf(uint32_t handle) const noexcept { return Word(handle) & ~kChained; }
  void Prefetch(uint32_t handle) const noexcept { __builtin_prefetch(&Word(handle), 1); }
  // Whether the entry's value is in a body: known without looking at the entry.
  bool Chained(uint32_t handle) const noexcept { return (Word(handle) & kChained) != 0; }
  void SetLocation(uint32_t handle, Location location, bool chained) noexcept {
    Word(handle) = location | (chained ? kChained : 0);
  }
  bool Used(uint32_t handle) const noexcept {
    return handle < end_ && LocationOf(handle) != kNoLocation;
  }
  // Most records are free, so that it is worth giving those in use lower handles.
  bool Sparse() const noexcept { return end_ > 4 * kBlock && free_ > end_ / 2; }
  // A used record from the upper end, of which each call looks at a few; kNoHandle when there was
  // none among them.
  uint32_t UpperUsed() noexcept;
  // One more than the highest handle in use may be.
  uint32_t end() const noexcept { return end_; }
  uint64_t committed() const noexcept { return records_.committed() + locations_.committed(); }

 private:
  static constexpr uint32_t kBlock = 512;

  struct Block {
    uint32_t first_free = kNoHandle;
    uint32_t free = 0;
  };

  static constexpr uint32_t kChained = uint32_t{1} << 31;

  uint32_t& Word(uint32_t handle) const noexcept {
    return reinterpret_cast<uint32_t*>(locations_.data())[handle];
  }
  void Trim() noexcept;

  Ledger& ledger_;
  Region records_;
  Region locations_;
  std::vector<Block> blocks_;
  uint32_t end_ = 0;
  uint32_t free_ = 0;
  // No block before it has a free record.
  uint32_t lowest_ = 0;
  // Where UpperUsed goes on, downwards.
  uint32_t upper_ = 0;
};

}  // namespace drey
