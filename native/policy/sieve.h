#pragma once

#include "policy/list.h"
#include "policy/policy.h"

namespace drey {

// SIEVE: a hit marks its entry; a hand takes marks off, and the first entry without one goes
// (Zhang, Yang, Yue, Vigfusson and Rashmi, NSDI 2024). Described in lib/policy/sieve.ts.
//
// Invariant: `hand_` is kNone, which stands for the oldest entry, or in the list.
class Sieve final : public Policy {
 public:
  explicit Sieve(const PolicyNodes& nodes) noexcept : nodes_(nodes) {}

  void Add(uint32_t handle) noexcept override;
  void Touch(uint32_t handle) noexcept override;
  void Remove(uint32_t handle) noexcept override;
  // Weights do not matter here.
  void Resize(uint32_t, uint64_t) noexcept override {}
  uint32_t Evict(bool pinned_too) noexcept override;
  void SetCapacity(uint64_t) noexcept override {}
  uint32_t LikelyVictim() const noexcept override {
    return hand_ == PolicyNode::kNone ? list_.oldest : hand_;
  }
  uint32_t count() const noexcept override { return list_.count; }

 private:
  enum Mark : uint32_t { kUnvisited, kVisited };

  const PolicyNodes& nodes_;
  PolicyList list_;
  uint32_t hand_ = PolicyNode::kNone;
};

}  // namespace drey
