#pragma once

#include "memory/region.h"
#include "policy/list.h"
#include "policy/policy.h"

namespace drey {

// LFU: the entry that was used least often goes; of several, the one that has been at its frequency
// for the longest time (Matani, Shah and Mitra, 2010). Described in lib/policy/lfu.ts.
//
// The bucket of an entry does not fit into its node: two bytes an entry lie in a table of this
// policy's own. An entry for which there was no memory in it is unranked: it goes before all
// others, as they came.
//
// Invariants: from `rarest_` along `commoner` frequencies rise and no bucket is empty; the other
// buckets before `end_` are linked from `free_` by `commoner`; bucket_of_ of a ranked entry is the
// index of its bucket.
class Lfu final : public Policy {
 public:
  Lfu(const PolicyNodes& nodes, uint32_t most_buckets) noexcept
      : nodes_(nodes), most_buckets_(most_buckets) {}

  [[nodiscard]] bool Reserve(const PolicySetting& setting) noexcept;

  void Add(uint32_t handle) noexcept override;
  void Touch(uint32_t handle) noexcept override;
  void Remove(uint32_t handle) noexcept override;
  // Weights do not matter here.
  void Resize(uint32_t, uint64_t) noexcept override {}
  uint32_t Evict(bool pinned_too) noexcept override;
  void SetCapacity(uint64_t) noexcept override {}
  Region::Growth Prepare() noexcept override;
  void ExpectTouch(uint32_t handle) const noexcept override { PolicyList::Expect(nodes_, handle); }
  uint32_t LikelyVictim() const noexcept override {
    if (unranked_.count > 0 || rarest_ == kNoBucket) return unranked_.oldest;
    return At(rarest_).list.oldest;
  }
  uint32_t count() const noexcept override { return count_; }
  uint64_t MemoryBytes() const noexcept override {
    return bucket_of_.committed() + buckets_.committed();
  }

  static constexpr uint32_t kMostBuckets = UINT16_MAX;

 private:
  enum Mark : uint32_t { kUnranked, kRanked };
  static constexpr uint32_t kNoBucket = UINT16_MAX;

  // The entries that were used equally often, in the order in which they came to be so.
  struct Bucket {
    PolicyList list;
    uint32_t frequency;
    // The next bucket towards either side.
    uint16_t rarer;
    uint16_t commoner;
  };

  Bucket& At(uint32_t bucket) const noexcept {
    return reinterpret_cast<Bucket*>(buckets_.data())[bucket];
  }
  uint16_t& BucketOf(uint32_t handle) const noexcept {
    return reinterpret_cast<uint16_t*>(bucket_of_.data())[handle];
  }
  uint32_t BucketForNew(uint32_t handle) noexcept;
  // An empty bucket for `frequency`, next to `rarer`, or the first of all; kNoBucket when there is
  // none left.
  uint32_t Begin(uint32_t frequency, uint32_t rarer) noexcept;
  void End(uint32_t bucket) noexcept;

  const PolicyNodes& nodes_;
  const uint32_t most_buckets_;
  Region bucket_of_;
  Region buckets_;
  PolicyList unranked_;
  uint32_t rarest_ = kNoBucket;
  uint32_t free_ = kNoBucket;
  // One more than the highest bucket that was ever in use.
  uint32_t end_ = 0;
  uint32_t count_ = 0;
  // One more than the highest handle that was added.
  uint32_t handles_ = 0;
};

}  // namespace drey
