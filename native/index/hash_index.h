#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "memory/region.h"

namespace drey {

constexpr uint32_t kNoHandle = UINT32_MAX;

// From the hash of a key to the handles of entries that may have it: about 8 bytes an entry.
//
// A bucket is one cache line: 12 tags (8 bits of the hash, so that a lookup seldom looks at an
// entry in vain), 12 handles, and a link to an overflow bucket. Which bucket a hash belongs to is
// hash × buckets / 2^32, so the order of buckets is that of hashes, and the table can grow or
// shrink in place and by any factor: a sweep moves one bucket at a time to where it belongs in the
// other size, from the end when growing, from the start when shrinking, and so never writes where
// it has yet to read (after the partial expansions of P.-A. Larson, "Linear Hashing with Partial
// Expansions", 1980).
//
// Buckets hold 8.8 to 11 entries on average while the table grows, by a quarter at a time. With
// hashes that nobody can foresee (I11) a bucket's load is Poisson: at 11, a third of the buckets
// have an overflow bucket, and the table takes 64 × 1.31 / 11 = 7.6 bytes an entry; at 8.8, 64
// × 1.1 / 8.8 = 8.0.
//
// Invariants:
//  - A handle is in the table once, under the hash that it was inserted with, in the chain of the
//  bucket Position(hash).
//  - While a sweep is under way, buckets on its far side are those of the new size. One bucket is
//  moved per insertion or
//    removal, four when shrinking, so that no call takes longer than a few microseconds.
//  - The hash of a handle can be asked for as long as it is in the table.
// Not for several threads: the shard's lock guards it.
class HashIndex {
 public:
  // Tells the hash that a handle was inserted with.
  using HashOf = uint32_t (*)(const void* context, uint32_t handle);

  HashIndex(HashOf hash_of, const void* context) noexcept : hash_of_(hash_of), context_(context) {}
  HashIndex(const HashIndex&) = delete;
  HashIndex& operator=(const HashIndex&) = delete;

  // False when the system has no addresses for a table of `most` entries.
  [[nodiscard]] bool Reserve(SystemMemory& system, Ledger& ledger, uint64_t most) noexcept;

  // The handle under `hash` for which `is_it(handle)`; kNoHandle when there is none. What `is_it`
  // is asked about shares 8 bits of the hash and its bucket, not the key: it must compare.
  template <class IsIt>
  uint32_t Find(uint32_t hash, IsIt&& is_it) const noexcept;

  // Sends for the bucket of `hash`, from whatever thread, without a lock: a guess, which while the
  // table changes its size may be wrong.
  void Prefetch(uint32_t hash) const noexcept {
    __builtin_prefetch(&Main(Scale(hash, guess_.load(std::memory_order_relaxed))));
  }

  // Makes sure that the next Insert has where to put it. Anything but kDone: nothing has changed.
  Region::Growth Prepare() noexcept;
  // Only after Prepare.
  void Insert(uint32_t hash, uint32_t handle) noexcept;
  // Puts `to` in the place of `from`, which must be there.
  void Rename(uint32_t hash, uint32_t from, uint32_t to) noexcept;
  // The handle must be there.
  void Erase(uint32_t hash, uint32_t handle) noexcept;

  uint64_t size() const noexcept { return size_; }
  uint64_t committed() const noexcept { return table_.committed() + overflow_.committed(); }

 private:
  static constexpr uint32_t kSlots = 12;
  static constexpr uint32_t kNoBucket = UINT32_MAX;
  // How full buckets are when the table grows and shrinks.
  static constexpr uint64_t kMostLoad = 11;
  static constexpr uint64_t kLeastLoad = 6;
  static constexpr uint32_t kFewest = 64;

  struct alignas(64) Bucket {
    // 0 where the slot is empty.
    std::array<uint8_t, kSlots> tags;
    // The overflow bucket, or kNoBucket.
    uint32_t next;
    std::array<uint32_t, kSlots> handles;
  };
  static_assert(sizeof(Bucket) == 64);

  static uint8_t TagOf(uint32_t hash) noexcept {
    const auto tag = static_cast<uint8_t>(hash);
    return tag == 0 ? 1 : tag;
  }
  static uint32_t Scale(uint32_t hash, uint32_t buckets) noexcept {
    return static_cast<uint32_t>((uint64_t{hash} * buckets) >> 32);
  }
  // A bit per tag that may equal `tag`; those that do not are found out by comparing keys.
  static uint32_t Matches(const Bucket& bucket, uint8_t tag) noexcept;

  Bucket& Main(uint32_t at) const noexcept { return reinterpret_cast<Bucket*>(table_.data())[at]; }
  Bucket& Overflow(uint32_t at) const noexcept {
    return reinterpret_cast<Bucket*>(overflow_.data())[at];
  }
  uint32_t Position(uint32_t hash) const noexcept;
  void Put(uint32_t position, uint32_t hash, uint32_t handle) noexcept;
  // `count` free overflow buckets, or why not.
  Region::Growth WantOverflow(uint32_t count) noexcept;
  uint32_t TakeOverflow() noexcept;
  void FreeOverflow(uint32_t at) noexcept;
  void TrimOverflow() noexcept;
  void Begin() noexcept;
  // Goes on with a sweep, if there is one.
  void Sweep() noexcept;
  bool SweepOne() noexcept;
  void Move(uint32_t from) noexcept;
  bool sweeping() const noexcept { return target_ != buckets_; }
  static void Clear(Bucket& bucket) noexcept;
  void SetBuckets(uint32_t buckets) noexcept {
    buckets_ = buckets;
    guess_.store(buckets, std::memory_order_relaxed);
  }

  const HashOf hash_of_;
  const void* const context_;
  Region table_;
  Region overflow_;
  uint64_t size_ = 0;
  uint32_t buckets_ = 0;
  // What Prefetch takes for buckets_.
  std::atomic<uint32_t> guess_{0};
  // The size that a sweep is leading to; equal to buckets_ when there is none.
  uint32_t target_ = 0;
  // Growing: buckets from here on have been moved. Shrinking: buckets before it have.
  uint32_t cursor_ = 0;
  // Growing: buckets from here on have been cleared.
  uint32_t cleared_ = 0;
  // A bit per overflow bucket, set while it is free. The lowest is taken first: a sweep, which
  // rebuilds every chain, so gathers those in use at the start, and the rest can be given back.
  std::vector<uint64_t> free_overflow_;
  uint32_t overflow_end_ = 0;
  uint32_t overflow_free_ = 0;
  // No word of the bits before it has a bit set.
  size_t lowest_word_ = 0;
};

inline uint32_t HashIndex::Position(uint32_t hash) const noexcept {
  const uint32_t position = Scale(hash, buckets_);
  if (!sweeping()) return position;
  const bool moved = target_ > buckets_ ? position >= cursor_ : position < cursor_;
  return moved ? Scale(hash, target_) : position;
}

inline uint32_t HashIndex::Matches(const Bucket& bucket, uint8_t tag) noexcept {
  uint32_t matches = 0;
  for (uint32_t at = 0; at < kSlots; at++) {
    matches |= uint32_t{bucket.tags[at] == tag} << at;
  }
  return matches;
}

template <class IsIt>
uint32_t HashIndex::Find(uint32_t hash, IsIt&& is_it) const noexcept {
  const uint8_t tag = TagOf(hash);
  for (const Bucket* bucket = &Main(Position(hash));; bucket = &Overflow(bucket->next)) {
    for (uint32_t matches = Matches(*bucket, tag); matches != 0; matches &= matches - 1) {
      const uint32_t handle = bucket->handles[static_cast<uint32_t>(__builtin_ctz(matches))];
      if (is_it(handle)) return handle;
    }
    if (bucket->next == kNoBucket) return kNoHandle;
  }
}

}  // namespace drey
