#include "policy/sieve.h"

namespace drey {

void Sieve::Add(uint32_t handle) noexcept {
  nodes_[handle].set_mark(kUnvisited);
  list_.Add(nodes_, handle);
}

void Sieve::Touch(uint32_t handle) noexcept { nodes_[handle].set_mark(kVisited); }

void Sieve::Remove(uint32_t handle) noexcept {
  if (hand_ == handle) hand_ = nodes_[handle].newer();
  list_.Remove(nodes_, handle);
}

uint32_t Sieve::Evict(bool pinned_too) noexcept {
  if (list_.count == 0) return PolicyNode::kNone;
  Pins pins(nodes_, pinned_too);
  uint32_t handle = hand_ == PolicyNode::kNone ? list_.oldest : hand_;
  for (;;) {
    PolicyNode& node = nodes_[handle];
    if (node.mark() == kVisited) {
      node.set_mark(kUnvisited);
    } else if (pins.Release(handle)) {
      break;
    } else if (pins.exhausted()) {
      hand_ = node.newer();
      return PolicyNode::kNone;
    }
    handle = node.newer() == PolicyNode::kNone ? list_.oldest : node.newer();
  }
  hand_ = handle;
  Remove(handle);
  return handle;
}

}  // namespace drey
