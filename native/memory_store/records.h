#pragma once

#include <cstdint>
#include <vector>

#include "index/hash_index.h"
#include "memory/region.h"
#include "memory/slab.h"
#include "memory_store/ranking.h"

namespace drey {

// What is known of an entry without looking at it. It never moves while the entry lives, so the policy's links, the
// index and scans go by its number, the handle, and the entry itself can be moved to another slot.
struct Record {
  // kNoLocation while the record is free.
  Location location;
  // The half of the key's hash that the index goes by; of a free record, the next free one of its block.
  uint32_t hash;
  RankNode node;
};

// The records of one shard, by handle.
//
// Invariants: records [0, end()) are used or in the free list of their block of 512. The lowest free one's block is taken from, so that
// after a time of many entries the upper blocks empty, and are given back.
// Not for several threads: the shard's lock guards it.
class Records {
 public:
  explicit Records(Ledger& ledger) noexcept : ledger_(ledger) {}
  ~Records() { ledger_.Give(HeapCost(blocks_.capacity() * sizeof(Block))); }
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  [[nodiscard]] bool Reserve(SystemMemory& system, uint64_t most) noexcept {
    return region_.Reserve(system, ledger_, most * sizeof(Record));
  }

  // Makes sure that the next Take has what to take.
  Region::Growth Prepare() noexcept;
  uint32_t Take() noexcept;
  void Free(uint32_t handle) noexcept;

  Record& operator[](uint32_t handle) const noexcept {
    return reinterpret_cast<Record*>(region_.data())[handle];
  }
  bool Used(uint32_t handle) const noexcept {
    return handle < end_ && (*this)[handle].location != kNoLocation;
  }
  // One more than the highest handle in use may be.
  uint32_t end() const noexcept { return end_; }
  uint64_t committed() const noexcept { return region_.committed(); }

 private:
  static constexpr uint32_t kBlock = 512;

  struct Block {
    uint32_t first_free = kNoHandle;
    uint32_t free = 0;
  };

  void Trim() noexcept;

  Ledger& ledger_;
  Region region_;
  std::vector<Block> blocks_;
  uint32_t end_ = 0;
  uint32_t free_ = 0;
  // No block before it has a free record.
  uint32_t lowest_ = 0;
};

}  // namespace drey
