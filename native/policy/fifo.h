#pragma once

#include "policy/list.h"
#include "policy/policy.h"

namespace drey {

// FIFO: the entry that came first goes (Belady, 1966). Described in
// lib/policy/fifo.ts.
class Fifo final : public Policy {
 public:
  explicit Fifo(const PolicyNodes& nodes) noexcept : nodes_(nodes) {}

  void Add(uint32_t handle) noexcept override;
  // Being used changes nothing.
  void Touch(uint32_t) noexcept override {}
  void Remove(uint32_t handle) noexcept override;
  // Weights do not matter here.
  void Resize(uint32_t, uint64_t) noexcept override {}
  uint32_t Evict(bool pinned_too) noexcept override;
  void SetCapacity(uint64_t) noexcept override {}
  uint32_t LikelyVictim() const noexcept override { return list_.oldest; }
  uint32_t count() const noexcept override { return list_.count; }

 private:
  const PolicyNodes& nodes_;
  PolicyList list_;
};

}  // namespace drey
