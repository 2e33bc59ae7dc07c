#pragma once

#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace drey::file {

// Memory that large records were made in, for the next ones: pages that are new to the process cost
// several times what it costs to copy a value into them.
//
// Invariant: what is kept has at least kLeast and all together at most kMost bytes.
class RecordSpace {
 public:
  static constexpr uint64_t kLeast = 32 * 1024;
  static constexpr uint64_t kMost = 8 * 1024 * 1024;

  // Room for `bytes`, or nothing, which grows as needed.
  std::vector<uint8_t> Take(uint64_t bytes) noexcept {
    if (bytes < kLeast) return {};
    const std::lock_guard lock(mutex_);
    // What is too small goes: records of one store are mostly alike.
    if (kept_.empty()) return {};
    std::vector<uint8_t> space = std::move(kept_.back());
    kept_.pop_back();
    bytes_ -= space.capacity();
    return space;
  }

  void Give(std::vector<uint8_t> space) noexcept {
    if (space.capacity() < kLeast) return;
    const std::lock_guard lock(mutex_);
    if (bytes_ + space.capacity() > kMost) return;
    bytes_ += space.capacity();
    kept_.push_back(std::move(space));
  }

 private:
  std::mutex mutex_;
  // Guarded by mutex_, both.
  std::vector<std::vector<uint8_t>> kept_;
  uint64_t bytes_ = 0;
};

}  // namespace drey::file
