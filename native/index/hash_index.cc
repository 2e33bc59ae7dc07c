#include "index/hash_index.h"

#include <algorithm>
#include <bit>
#include <cassert>

namespace drey {

void HashIndex::Clear(Bucket& bucket) noexcept {
  bucket.tags.fill(0);
  bucket.next = kNoBucket;
}

bool HashIndex::Reserve(SystemMemory& system, Ledger& ledger, uint64_t most) noexcept {
  const uint64_t bytes = std::max<uint64_t>(most / 6, kFewest) * sizeof(Bucket);
  return table_.Reserve(system, ledger, bytes) && overflow_.Reserve(system, ledger, bytes);
}

Region::Growth HashIndex::WantOverflow(uint32_t count) noexcept {
  while (overflow_free_ < count) {
    const Region::Growth growth = overflow_.Grow((uint64_t{overflow_end_} + 1) * sizeof(Bucket));
    if (growth != Region::Growth::kDone) return growth;
    if (overflow_end_ % 64 == 0) free_overflow_.push_back(0);
    FreeOverflow(overflow_end_++);
  }
  return Region::Growth::kDone;
}

uint32_t HashIndex::TakeOverflow() noexcept {
  assert(overflow_free_ > 0);
  while (free_overflow_[lowest_word_] == 0) lowest_word_ += 1;
  uint64_t& word = free_overflow_[lowest_word_];
  const auto at =
      static_cast<uint32_t>(lowest_word_ * 64 + static_cast<uint32_t>(std::countr_zero(word)));
  word &= word - 1;
  overflow_free_ -= 1;
  Clear(Overflow(at));
  return at;
}

void HashIndex::FreeOverflow(uint32_t at) noexcept {
  free_overflow_[at / 64] |= uint64_t{1} << (at % 64);
  overflow_free_ += 1;
  lowest_word_ = std::min<size_t>(lowest_word_, at / 64);
}

void HashIndex::TrimOverflow() noexcept {
  while (free_overflow_.size() > 1) {
    const uint32_t count = (overflow_end_ - 1) % 64 + 1;
    if (std::popcount(free_overflow_.back()) != static_cast<int>(count)) break;
    free_overflow_.pop_back();
    overflow_free_ -= count;
    overflow_end_ -= count;
  }
  if (free_overflow_.empty()) return;
  lowest_word_ = std::min(lowest_word_, free_overflow_.size() - 1);
  overflow_.Shrink(uint64_t{overflow_end_} * sizeof(Bucket));
}

Region::Growth HashIndex::Prepare() noexcept {
  if (buckets_ == 0) {
    const Region::Growth growth = table_.Grow(kFewest * sizeof(Bucket));
    if (growth != Region::Growth::kDone) return growth;
    target_ = kFewest;
    SetBuckets(kFewest);
    for (uint32_t at = 0; at < buckets_; at++) Clear(Main(at));
  }
  if (!sweeping()) Begin();
  return WantOverflow(1);
}

// Begins a sweep when one is due. Growth that the bound forbids is put off: chains get longer, and
// nothing else.
void HashIndex::Begin() noexcept {
  uint32_t to = buckets_;
  if (size_ > uint64_t{buckets_} * kMostLoad) {
    to = buckets_ + buckets_ / 4;
    if (table_.Grow(uint64_t{to} * sizeof(Bucket)) != Region::Growth::kDone) return;
    cursor_ = buckets_;
    cleared_ = to;
  } else if (buckets_ > kFewest && size_ < uint64_t{buckets_} * kLeastLoad) {
    to = std::max(kFewest, buckets_ - buckets_ / 5);
    cursor_ = 0;
  }
  target_ = to;
}

void HashIndex::Put(uint32_t position, uint32_t hash, uint32_t handle) noexcept {
  for (Bucket* bucket = &Main(position);; bucket = &Overflow(bucket->next)) {
    const uint32_t empty = Matches(*bucket, 0);
    if (empty != 0) {
      const auto at = static_cast<uint32_t>(__builtin_ctz(empty));
      bucket->tags[at] = TagOf(hash);
      bucket->handles[at] = handle;
      return;
    }
    if (bucket->next == kNoBucket) bucket->next = TakeOverflow();
  }
}

void HashIndex::Insert(uint32_t hash, uint32_t handle) noexcept {
  Put(Position(hash), hash, handle);
  size_ += 1;
  Sweep();
}

void HashIndex::Rename(uint32_t hash, uint32_t from, uint32_t to) noexcept {
  for (Bucket* bucket = &Main(Position(hash));; bucket = &Overflow(bucket->next)) {
    for (uint32_t matches = Matches(*bucket, TagOf(hash)); matches != 0; matches &= matches - 1) {
      uint32_t& handle = bucket->handles[static_cast<uint32_t>(__builtin_ctz(matches))];
      if (handle != from) continue;
      handle = to;
      return;
    }
    assert(bucket->next != kNoBucket);
  }
}

void HashIndex::Erase(uint32_t hash, uint32_t handle) noexcept {
  const uint8_t tag = TagOf(hash);
  Bucket* previous = nullptr;
  for (Bucket* bucket = &Main(Position(hash));; bucket = &Overflow(bucket->next)) {
    for (uint32_t at = 0; at < kSlots; at++) {
      if (bucket->tags[at] != tag || bucket->handles[at] != handle) continue;
      bucket->tags[at] = 0;
      size_ -= 1;
      if (previous != nullptr && Matches(*bucket, 0) == (1U << kSlots) - 1) {
        const uint32_t empty = previous->next;
        previous->next = bucket->next;
        FreeOverflow(empty);
      }
      if (!sweeping()) Begin();
      Sweep();
      return;
    }
    assert(bucket->next != kNoBucket);
    previous = bucket;
  }
}

void HashIndex::Sweep() noexcept {
  // Buckets that are given up hold little, and entries go faster than they come.
  const int steps = target_ > buckets_ ? 1 : 4;
  for (int step = 0; step < steps && sweeping(); step++) {
    if (!SweepOne()) return;
  }
}

// False when the bound has no room for the overflow that moving a bucket may need.
bool HashIndex::SweepOne() noexcept {
  const bool growing = target_ > buckets_;
  const uint32_t from = growing ? cursor_ - 1 : cursor_;
  uint32_t length = 1;
  for (const Bucket* at = &Main(from); at->next != kNoBucket; at = &Overflow(at->next)) length += 1;
  // What was in `length` buckets goes to at most three chains, each of which may have to begin one
  // more.
  if (WantOverflow(length + 3) != Region::Growth::kDone) return false;
  if (growing) {
    const auto lowest = static_cast<uint32_t>(uint64_t{from} * target_ / buckets_);
    while (cleared_ > std::max(buckets_, lowest)) Clear(Main(--cleared_));
    Move(from);
    cursor_ = from;
  } else {
    Move(from);
    cursor_ = from + 1;
  }
  if (cursor_ != (growing ? 0 : buckets_)) return true;
  SetBuckets(target_);
  if (growing) return true;
  table_.Shrink(uint64_t{buckets_} * sizeof(Bucket));
  TrimOverflow();
  return true;
}

void HashIndex::Move(uint32_t from) noexcept {
  // The chain is copied bucket by bucket, and each is free again before its entries are put, so
  // that no more overflow is needed than the chain had and the new chains begin.
  Bucket bucket = Main(from);
  Clear(Main(from));
  for (;;) {
    const uint32_t next = bucket.next;
    for (uint32_t at = 0; at < kSlots; at++) {
      if (bucket.tags[at] == 0) continue;
      const uint32_t hash = hash_of_(context_, bucket.handles[at]);
      Put(Scale(hash, target_), hash, bucket.handles[at]);
    }
    if (next == kNoBucket) return;
    bucket = Overflow(next);
    FreeOverflow(next);
  }
}

}  // namespace drey
