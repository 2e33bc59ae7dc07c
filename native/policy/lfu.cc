#include "policy/lfu.h"

#include <algorithm>

namespace drey {

bool Lfu::Reserve(const PolicySetting& setting) noexcept {
  return bucket_of_.Reserve(setting.system, setting.ledger,
                            setting.most_entries * sizeof(uint16_t)) &&
         buckets_.Reserve(setting.system, setting.ledger, most_buckets_ * sizeof(Bucket));
}

void Lfu::Add(uint32_t handle) noexcept {
  count_ += 1;
  handles_ = std::max(handles_, handle + 1);
  const uint32_t bucket = BucketForNew(handle);
  nodes_[handle].set_mark(bucket == kNoBucket ? kUnranked : kRanked);
  if (bucket == kNoBucket) {
    unranked_.Add(nodes_, handle);
    return;
  }
  BucketOf(handle) = static_cast<uint16_t>(bucket);
  At(bucket).list.Add(nodes_, handle);
}

uint32_t Lfu::BucketForNew(uint32_t handle) noexcept {
  if (bucket_of_.Grow((uint64_t{handle} + 1) * sizeof(uint16_t)) != Region::Growth::kDone) {
    return kNoBucket;
  }
  if (rarest_ != kNoBucket && At(rarest_).frequency == 1) return rarest_;
  const uint32_t bucket = Begin(1, kNoBucket);
  return bucket == kNoBucket ? rarest_ : bucket;
}

void Lfu::Touch(uint32_t handle) noexcept {
  if (nodes_[handle].mark() == kUnranked) return;
  const uint32_t from = BucketOf(handle);
  Bucket& bucket = At(from);
  if (bucket.frequency == UINT32_MAX) return;
  const uint32_t frequency = bucket.frequency + 1;
  uint32_t to = bucket.commoner;
  if (to == kNoBucket || At(to).frequency != frequency) {
    if (bucket.list.count == 1) {
      // It is alone, so its bucket can be the one of the next frequency.
      bucket.frequency = frequency;
      return;
    }
    to = Begin(frequency, from);
    if (to == kNoBucket) return;
  }
  bucket.list.Remove(nodes_, handle);
  if (bucket.list.count == 0) End(from);
  BucketOf(handle) = static_cast<uint16_t>(to);
  At(to).list.Add(nodes_, handle);
}

void Lfu::Remove(uint32_t handle) noexcept {
  count_ -= 1;
  if (nodes_[handle].mark() == kUnranked) {
    unranked_.Remove(nodes_, handle);
    return;
  }
  const uint32_t bucket = BucketOf(handle);
  At(bucket).list.Remove(nodes_, handle);
  if (At(bucket).list.count == 0) End(bucket);
}

uint32_t Lfu::Evict(bool pinned_too) noexcept {
  Pins pins(nodes_, pinned_too);
  uint32_t victim = pins.OldestOf(unranked_);
  for (uint32_t bucket = rarest_;
       victim == PolicyNode::kNone && bucket != kNoBucket && !pins.exhausted();
       bucket = At(bucket).commoner) {
    victim = pins.OldestOf(At(bucket).list);
  }
  if (victim != PolicyNode::kNone) Remove(victim);
  return victim;
}

Region::Growth Lfu::Prepare() noexcept {
  const Region::Growth table = bucket_of_.Grow(handles_ * sizeof(uint16_t));
  if (table != Region::Growth::kDone) return table;
  if (free_ != kNoBucket || end_ == most_buckets_) return Region::Growth::kDone;
  return buckets_.Grow((uint64_t{end_} + 1) * sizeof(Bucket));
}

uint32_t Lfu::Begin(uint32_t frequency, uint32_t rarer) noexcept {
  uint32_t at = free_;
  if (at != kNoBucket) {
    free_ = At(at).commoner;
  } else {
    if (end_ == most_buckets_) return kNoBucket;
    if (buckets_.Grow((uint64_t{end_} + 1) * sizeof(Bucket)) != Region::Growth::kDone) {
      return kNoBucket;
    }
    at = end_++;
  }
  const auto index = static_cast<uint16_t>(at);
  const auto commoner =
      static_cast<uint16_t>(rarer == kNoBucket ? rarest_ : uint32_t{At(rarer).commoner});
  At(at) = {.list = {},
            .frequency = frequency,
            .rarer = static_cast<uint16_t>(rarer),
            .commoner = commoner};
  if (rarer == kNoBucket) {
    rarest_ = at;
  } else {
    At(rarer).commoner = index;
  }
  if (commoner != kNoBucket) At(commoner).rarer = index;
  return at;
}

void Lfu::End(uint32_t bucket) noexcept {
  const uint16_t rarer = At(bucket).rarer;
  const uint16_t commoner = At(bucket).commoner;
  if (rarer == kNoBucket) {
    rarest_ = commoner;
  } else {
    At(rarer).commoner = commoner;
  }
  if (commoner != kNoBucket) At(commoner).rarer = rarer;
  At(bucket).commoner = static_cast<uint16_t>(free_);
  free_ = bucket;
}

}  // namespace drey
