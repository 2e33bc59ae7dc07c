#pragma once

#include <cstdint>

#include "memory/region.h"

namespace drey {

// What S3-FIFO remembers of the entries that it let go: a queue, first in, first out, bounded by
// the bytes they had. Described in lib/policy/ghost.ts.
//
// It takes memory a page or an eighth at a time, and moves what is in it while it does, which is
// O(n). Where there is no memory it keeps its size, and the oldest is forgotten early.
//
// Invariants: the numbers from `first_` up to `next_` are the queue, each in the slot of its number
// modulo `slots_`; each is in the chain of its fingerprint unless its link is kTaken, as those of
// `taken_` of them are; a link is the distance to the next lower number of the chain, and one that
// leads before `first_`, or nowhere (0), is its end; `bytes_` is the sum of the sizes of those that
// are not kTaken.
class Ghost {
 public:
  Ghost() noexcept = default;
  Ghost(const Ghost&) = delete;
  Ghost& operator=(const Ghost&) = delete;

  // At most `most` are ever remembered. Numbers begin anew at `last_number`, which is more than
  // twice that.
  [[nodiscard]] bool Reserve(SystemMemory& system, Ledger& ledger, uint64_t most,
                             uint32_t last_number = UINT32_MAX - 1) noexcept;
  // `max_bytes`: what the entries remembered may have weighed; `capacity`: that of the cache.
  void SetCapacity(uint64_t max_bytes, uint64_t capacity) noexcept;

  // Remembers an entry that goes. The bound in bytes is kept by Take alone: a store first makes
  // room and then adds the entry that needed it, and the former must not drive out what is
  // remembered of the latter.
  void Add(uint32_t fingerprint, uint64_t size) noexcept;
  // Whether the entry is remembered; it is forgotten then.
  bool Take(uint32_t fingerprint) noexcept;

  // Takes the memory that is wanted for.
  Region::Growth Prepare() noexcept;

  uint64_t bytes() const noexcept { return bytes_; }
  // Entries remembered, and places of such as were taken.
  uint32_t used() const noexcept { return next_ - first_; }
  uint64_t MemoryBytes() const noexcept { return memory_.committed() + chain_memory_.committed(); }

  static constexpr uint32_t kLeastSlots = 64;

 private:
  class Slot {
   public:
    Slot(uint32_t fingerprint, uint32_t size_code, uint32_t link) noexcept
        : fingerprint_(fingerprint), size_and_link_(size_code << kLinkBits | link) {}

    uint32_t fingerprint() const noexcept { return fingerprint_; }
    // See EncodeSize.
    uint32_t size_code() const noexcept { return size_and_link_ >> kLinkBits; }
    uint32_t link() const noexcept { return size_and_link_ & kTaken; }
    void set_link(uint32_t link) noexcept { size_and_link_ = (size_and_link_ & ~kTaken) | link; }

   private:
    static constexpr int kLinkBits = 20;

    uint32_t fingerprint_;
    uint32_t size_and_link_;
  };
  static_assert(sizeof(Slot) == 8);

  static constexpr uint32_t kTaken = (1 << 20) - 1;
  static constexpr uint64_t kMostSlots = kTaken - 1;

  Slot* slots() const noexcept { return reinterpret_cast<Slot*>(memory_.data()); }
  Slot& SlotOf(uint32_t number) const noexcept { return slots()[number % slots_]; }
  uint32_t& ChainOf(uint32_t fingerprint) const noexcept {
    return reinterpret_cast<uint32_t*>(chain_memory_.data())[fingerprint & (chains_ - 1)];
  }
  // Puts an entry at the new end.
  void Append(uint32_t fingerprint, uint32_t size_code) noexcept;
  bool Unlink(uint32_t fingerprint) noexcept;
  void Trim() noexcept;
  void ForgetOldest() noexcept;
  void MakeRoom() noexcept;
  Region::Growth Grow() noexcept;
  // Goes over to `slots` slots, which are committed, and numbers the queue anew, leaving out what
  // was taken.
  void Rebuild(uint32_t slots) noexcept;

  Region memory_;
  Region chain_memory_;
  uint64_t most_reserved_ = 0;
  uint64_t max_bytes_ = 0;
  uint32_t most_slots_ = 0;
  uint32_t slots_ = 0;
  // A power of two, once there are slots.
  uint32_t chains_ = 0;
  uint32_t last_number_ = 0;
  uint32_t first_ = 1;
  uint32_t next_ = 1;
  uint32_t taken_ = 0;
  uint64_t bytes_ = 0;
  bool wanting_ = false;
};

}  // namespace drey
