#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace drey::file {

// A segment of the log that is there.
struct Segment {
  explicit Segment(uint64_t with) noexcept : number(with) {}

  const uint64_t number;
  // Of it in the ledger.
  std::atomic<uint64_t> charge{0};
  // Where its records end: what lies behind is nothing.
  std::atomic<uint64_t> end{0};
  // Bytes of records in it that the index has.
  std::atomic<uint64_t> live{0};
  // Of those, bytes that had expired when it was looked at last.
  std::atomic<uint64_t> expired{0};
  std::atomic<bool> sealed{false};
  // It was to go early, and could not.
  std::atomic<bool> kept{false};

  // Bytes that are of use to somebody.
  uint64_t useful() const noexcept { return live - std::min(live.load(), expired.load()); }
};

// The segments that are there, by number. Safe from any thread.
class Segments {
 public:
  using Handle = std::shared_ptr<Segment>;

  Handle Add(uint64_t number) {
    const std::lock_guard lock(mutex_);
    Handle& segment = segments_[number];
    if (segment == nullptr) segment = std::make_shared<Segment>(number);
    return segment;
  }
  Handle Find(uint64_t number) const {
    const std::lock_guard lock(mutex_);
    const auto found = segments_.find(number);
    return found == segments_.end() ? nullptr : found->second;
  }
  // Null when there is none.
  Handle Oldest() const {
    const std::lock_guard lock(mutex_);
    return segments_.empty() ? nullptr : segments_.begin()->second;
  }
  // False when somebody else has.
  bool Remove(uint64_t number) {
    const std::lock_guard lock(mutex_);
    return segments_.erase(number) > 0;
  }
  void PutBack(Handle segment) {
    const std::lock_guard lock(mutex_);
    segments_[segment->number] = std::move(segment);
  }
  std::vector<Handle> All() const {
    const std::lock_guard lock(mutex_);
    std::vector<Handle> all;
    for (const auto& [number, segment] : segments_) all.push_back(segment);
    return all;
  }
  size_t count() const {
    const std::lock_guard lock(mutex_);
    return segments_.size();
  }
  void AddLive(uint64_t number, uint64_t bytes) const {
    if (const Handle segment = Find(number); segment != nullptr) segment->live += bytes;
  }
  void TakeLive(uint64_t number, uint64_t bytes) const {
    const Handle segment = Find(number);
    if (segment == nullptr) return;
    // A clear may have counted it already.
    uint64_t live = segment->live;
    while (!segment->live.compare_exchange_weak(live, live - std::min(live, bytes))) {
    }
  }

 private:
  mutable std::mutex mutex_;
  // Guarded by mutex_.
  std::map<uint64_t, Handle> segments_;
};

}  // namespace drey::file
