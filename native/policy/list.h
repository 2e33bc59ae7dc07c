#pragma once

#include <cstdint>

#include "policy/policy.h"

namespace drey {

// Entries in order, linked through their own nodes: every operation is O(1).
//
// Invariants: following newer() from `oldest` meets each of `count` entries once and ends at
// `newest`; older() is the reverse.
struct PolicyList {
  uint32_t oldest = PolicyNode::kNone;
  uint32_t newest = PolicyNode::kNone;
  uint32_t count = 0;

  void Add(const PolicyNodes& nodes, uint32_t handle) noexcept {
    PolicyNode& node = nodes[handle];
    node.set_older(newest);
    node.set_newer(PolicyNode::kNone);
    if (newest == PolicyNode::kNone) {
      oldest = handle;
    } else {
      nodes[newest].set_newer(handle);
    }
    newest = handle;
    count += 1;
  }

  void AddOldest(const PolicyNodes& nodes, uint32_t handle) noexcept {
    PolicyNode& node = nodes[handle];
    node.set_older(PolicyNode::kNone);
    node.set_newer(oldest);
    if (oldest == PolicyNode::kNone) {
      newest = handle;
    } else {
      nodes[oldest].set_older(handle);
    }
    oldest = handle;
    count += 1;
  }

  void Remove(const PolicyNodes& nodes, uint32_t handle) noexcept {
    const uint32_t older = nodes[handle].older();
    const uint32_t newer = nodes[handle].newer();
    if (newer == PolicyNode::kNone) {
      newest = older;
    } else {
      nodes[newer].set_older(older);
    }
    if (older == PolicyNode::kNone) {
      oldest = newer;
    } else {
      nodes[older].set_newer(newer);
    }
    count -= 1;
  }

  // Sends for what Remove and Renew of the entry will change.
  static void Expect(const PolicyNodes& nodes, uint32_t handle) noexcept {
    const uint32_t older = nodes[handle].older();
    const uint32_t newer = nodes[handle].newer();
    if (older != PolicyNode::kNone) __builtin_prefetch(&nodes[older], 1);
    if (newer != PolicyNode::kNone) __builtin_prefetch(&nodes[newer], 1);
  }

  // Makes the entry the newest.
  void Renew(const PolicyNodes& nodes, uint32_t handle) noexcept {
    if (newest == handle) return;
    Remove(nodes, handle);
    Add(nodes, handle);
  }
};

// A list that knows what its entries weigh together.
struct PolicyQueue {
  PolicyList list;
  uint64_t bytes = 0;

  void Add(const PolicyNodes& nodes, uint32_t handle) noexcept {
    list.Add(nodes, handle);
    bytes += nodes.Size(handle);
  }
  void AddOldest(const PolicyNodes& nodes, uint32_t handle) noexcept {
    list.AddOldest(nodes, handle);
    bytes += nodes.Size(handle);
  }
  void Remove(const PolicyNodes& nodes, uint32_t handle) noexcept {
    list.Remove(nodes, handle);
    bytes -= nodes.Size(handle);
  }
};

// Passing over the entries that cannot go now, during one eviction. They are in use, so a queue
// that meets one at its old end makes it its newest: the next eviction does not meet it again.
class Pins {
 public:
  Pins(const PolicyNodes& nodes, bool pinned_too) noexcept
      : nodes_(nodes), pinned_too_(pinned_too) {}

  // Whether this eviction has passed over as many as it may.
  bool exhausted() const noexcept { return passes_ == 0; }

  // Whether the entry can go; if not, it has been passed over.
  bool Release(uint32_t handle) noexcept {
    if (pinned_too_ || nodes_.Evictable(handle)) return true;
    passes_ -= 1;
    return false;
  }

  // The oldest entry that can go. Those before it become the newest.
  uint32_t OldestOf(PolicyList& list) noexcept {
    for (uint32_t turns = list.count < passes_ ? list.count : passes_; turns > 0; turns--) {
      const uint32_t handle = list.oldest;
      if (Release(handle)) return handle;
      list.Renew(nodes_, handle);
    }
    return PolicyNode::kNone;
  }

 private:
  const PolicyNodes& nodes_;
  const bool pinned_too_;
  uint32_t passes_ = Policy::kMostPasses;
};

}  // namespace drey
