#pragma once

#include "policy/list.h"
#include "policy/policy.h"
#include "policy/sketch.h"
#include "policy/window_climber.h"

namespace drey {

// W-TinyLFU: whoever leaves the window for newcomers must have been used more often than who would
// have to go for it (Einziger, Friedman and Manes, 2017; Einziger, Eytan, Friedman and Manes,
// 2018). Described in lib/policy/w-tinylfu.ts.
//
// Invariants: a mark says which queue an entry is in; what the window's share gains the protected
// queue's loses, and the window's is never below 1 %.
class WTinyLfu final : public Policy {
 public:
  WTinyLfu(const PolicyNodes& nodes, uint64_t capacity) noexcept
      : nodes_(nodes), climber_(capacity) {}

  [[nodiscard]] bool Reserve(const PolicySetting& setting) noexcept;

  void Add(uint32_t handle) noexcept override;
  void Touch(uint32_t handle) noexcept override;
  void Remove(uint32_t handle) noexcept override;
  void Resize(uint32_t handle, uint64_t before) noexcept override;
  uint32_t Evict(bool pinned_too) noexcept override;
  void SetCapacity(uint64_t bytes) noexcept override;
  Region::Growth Prepare() noexcept override { return sketch_.Grow(count()); }
  void ExpectTouch(uint32_t handle) const noexcept override {
    sketch_.Expect(nodes_.Hash(handle));
    PolicyList::Expect(nodes_, handle);
  }
  void ExpectAdd(uint32_t hash) const noexcept override { sketch_.Expect(hash); }
  uint32_t LikelyVictim() const noexcept override {
    if (probation_.list.count > 0) return probation_.list.oldest;
    return protected_.list.count > 0 ? protected_.list.oldest : window_.list.oldest;
  }
  uint32_t count() const noexcept override {
    return window_.list.count + probation_.list.count + protected_.list.count;
  }
  uint64_t MemoryBytes() const noexcept override { return sketch_.MemoryBytes(); }

  // What the entries weigh together.
  uint64_t bytes() const noexcept { return window_.bytes + probation_.bytes + protected_.bytes; }

 private:
  enum Mark : uint32_t { kWindow, kProbation, kProtected };

  PolicyQueue& QueueOf(uint32_t handle) noexcept;
  uint32_t Frequency(uint32_t handle) const noexcept {
    return sketch_.Estimate(nodes_.Hash(handle));
  }
  // Who goes of the two, if there is anybody.
  uint32_t Loser(uint32_t candidate, uint32_t resident) const noexcept;
  void Move(uint32_t handle, PolicyQueue& to, Mark mark) noexcept;
  // What the window has too much goes to probation.
  void Spill() noexcept;
  // What the protected queue has too much goes to probation.
  void Demote() noexcept;
  void Adapt() noexcept;
  // Gives the window, which has grown, the entries of the main area that would be the first to go.
  void FillWindow() noexcept;

  const PolicyNodes& nodes_;
  PolicyQueue window_;
  PolicyQueue probation_;
  PolicyQueue protected_;
  FrequencySketch sketch_;
  WindowClimber climber_;
  uint64_t capacity_ = 0;
  uint64_t least_window_ = 0;
  uint64_t window_share_ = 0;
  uint64_t protected_share_ = 0;
  // Whether an entry had to go yet. Before, all that is counted is how the cache fills.
  bool filled_ = false;
};

}  // namespace drey
