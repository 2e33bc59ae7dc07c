#pragma once

#include "policy/list.h"
#include "policy/policy.h"

namespace drey {

// LRU: the entry that was not used for the longest time goes (Sleator and Tarjan, 1985). Described
// in lib/policy/lru.ts.
class Lru final : public Policy {
 public:
  explicit Lru(const PolicyNodes& nodes) noexcept : nodes_(nodes) {}

  void Add(uint32_t handle) noexcept override;
  void Touch(uint32_t handle) noexcept override;
  void Remove(uint32_t handle) noexcept override;
  // Weights do not matter here.
  void Resize(uint32_t, uint64_t) noexcept override {}
  uint32_t Evict(bool pinned_too) noexcept override;
  void SetCapacity(uint64_t) noexcept override {}
  void ExpectTouch(uint32_t handle) const noexcept override { PolicyList::Expect(nodes_, handle); }
  uint32_t LikelyVictim() const noexcept override { return list_.oldest; }
  uint32_t count() const noexcept override { return list_.count; }

 private:
  const PolicyNodes& nodes_;
  PolicyList list_;
};

}  // namespace drey
