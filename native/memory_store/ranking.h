#pragma once

#include <cstdint>

namespace drey {

// Which entry goes first when room is needed: the least recently used one.
struct RankNode {
  uint32_t previous;
  uint32_t next;
};

// Where the nodes are.
class RankNodes {
 public:
  virtual RankNode& Node(uint32_t handle) noexcept = 0;

 protected:
  ~RankNodes() = default;
};

class Ranking {
 public:
  explicit Ranking(RankNodes& nodes) noexcept : nodes_(nodes) {}

  void Add(uint32_t handle) noexcept {
    nodes_.Node(handle) = {kNone, newest_};
    if (newest_ != kNone) {
      nodes_.Node(newest_).previous = handle;
    } else {
      oldest_ = handle;
    }
    newest_ = handle;
  }
  void Remove(uint32_t handle) noexcept {
    const RankNode node = nodes_.Node(handle);
    (node.previous == kNone ? newest_ : nodes_.Node(node.previous).next) = node.next;
    (node.next == kNone ? oldest_ : nodes_.Node(node.next).previous) = node.previous;
  }
  void Touch(uint32_t handle) noexcept {
    if (handle == newest_) return;
    Remove(handle);
    Add(handle);
  }
  // The entry to go, removed; kNone when there is none.
  uint32_t Evict() noexcept {
    const uint32_t handle = oldest_;
    if (handle != kNone) Remove(handle);
    return handle;
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  RankNodes& nodes_;
  uint32_t newest_ = kNone;
  uint32_t oldest_ = kNone;
};

}  // namespace drey
