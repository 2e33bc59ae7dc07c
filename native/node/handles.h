#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace drey::node {

// Things of C++ that JavaScript knows by number: integers cross the border for a few nanoseconds,
// objects with finalizers cost hundreds.
//
// Invariant: a number names one thing from Add until Remove, and may name another one after that.
template <class T>
class Handles {
 public:
  uint32_t Add(T thing) {
    if (free_.empty()) {
      things_.emplace_back(std::move(thing));
      return static_cast<uint32_t>(things_.size() - 1);
    }
    const uint32_t handle = free_.back();
    free_.pop_back();
    things_[handle].emplace(std::move(thing));
    return handle;
  }

  // Null when there is none: a mistake of the caller's, which must not become a wrong read.
  T* Get(uint32_t handle) noexcept {
    return handle < things_.size() && things_[handle].has_value() ? &*things_[handle] : nullptr;
  }

  void Remove(uint32_t handle) {
    if (Get(handle) == nullptr) return;
    // Moved out first: what goes may take its time, and the table is whole meanwhile.
    const std::optional<T> gone = std::exchange(things_[handle], std::nullopt);
    free_.push_back(handle);
  }

  void Clear() {
    things_.clear();
    free_.clear();
  }

  // All handles are below it.
  uint32_t capacity() const noexcept { return static_cast<uint32_t>(things_.size()); }

 private:
  std::vector<std::optional<T>> things_;
  std::vector<uint32_t> free_;
};

}  // namespace drey::node
