#pragma once

#include "policy/ghost.h"
#include "policy/list.h"
#include "policy/policy.h"

namespace drey {

// S3-FIFO: a small queue, a main queue and a memory of what left the small one, all first in, first
// out (Yang, Zhang, Qiu, Yue and Rashmi, SOSP 2023). Described in lib/policy/s3-fifo.ts.
class S3Fifo final : public Policy {
 public:
  explicit S3Fifo(const PolicyNodes& nodes) noexcept : nodes_(nodes) {}

  [[nodiscard]] bool Reserve(const PolicySetting& setting) noexcept;

  void Add(uint32_t handle) noexcept override;
  void Touch(uint32_t handle) noexcept override;
  void Remove(uint32_t handle) noexcept override;
  void Resize(uint32_t handle, uint64_t before) noexcept override;
  uint32_t Evict(bool pinned_too) noexcept override;
  void SetCapacity(uint64_t bytes) noexcept override;
  Region::Growth Prepare() noexcept override { return ghost_.Prepare(); }
  uint32_t LikelyVictim() const noexcept override {
    const bool main_first = main_.bytes > main_share_ || small_.list.count == 0;
    return main_first ? main_.list.oldest : small_.list.oldest;
  }
  uint32_t count() const noexcept override { return small_.list.count + main_.list.count; }
  uint64_t MemoryBytes() const noexcept override { return ghost_.MemoryBytes(); }

  // What the entries weigh together.
  uint64_t bytes() const noexcept { return small_.bytes + main_.bytes; }

 private:
  // A mark is the uses, 0 to kMostUses, and this for an entry of the main queue.
  static constexpr uint32_t kMain = 4;
  static constexpr uint32_t kMostUses = 3;
  // Uses that take an entry from the small queue to the main one.
  static constexpr uint32_t kUsesToMove = 2;

  PolicyQueue& QueueOf(uint32_t handle) noexcept {
    return nodes_[handle].mark() >= kMain ? main_ : small_;
  }
  uint32_t EvictFromSmall(Pins& pins) noexcept;
  uint32_t EvictFromMain(Pins& pins) noexcept;

  const PolicyNodes& nodes_;
  PolicyQueue small_;
  PolicyQueue main_;
  Ghost ghost_;
  uint64_t main_share_ = 0;
};

}  // namespace drey
