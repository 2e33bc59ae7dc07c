#pragma once

#include <array>
#include <cstdint>

#include "policy/policy.h"

namespace drey {

// Entries that were used, and of which the policy will be told soon, in order. A use changes links
// of entries that lie all over the memory; told together, the processor fetches those of all of
// them at once, where each alone would be waited for under the shard's lock.
//
// The owner tells them before it asks the policy for anything else and before it changes what an
// entry weighs, so that what the policy decides is the same as if it had been told at once; and so
// no entry leaves while it is here.
class Uses {
 public:
  bool empty() const noexcept { return count_ == 0; }
  // True when there is room for no more: they are to be told.
  bool Add(uint32_t handle) noexcept {
    handles_[count_++] = handle;
    return count_ == kMost;
  }
  void Tell(Policy& policy) noexcept {
    for (uint32_t at = 0; at < count_; at++) policy.ExpectTouch(handles_[at]);
    for (uint32_t at = 0; at < count_; at++) policy.Touch(handles_[at]);
    count_ = 0;
  }

 private:
  static constexpr uint32_t kMost = 32;

  std::array<uint32_t, kMost> handles_;
  uint32_t count_ = 0;
};

}  // namespace drey
