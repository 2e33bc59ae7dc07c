#pragma once

#include <atomic>
#include <cstdint>

#include "core/clock.h"
#include "io/rate_limit.h"

namespace drey::file {

// How fast reclaim in the background goes: as fast as what is written needs it to, and no faster,
// so that reads have the disk to themselves for the rest of the time. Once room is scarce there is
// no limit: a write that is refused, or that evicts in haste what the policy would have kept, is
// worse than a read that waits.
//
// Wait is for one thread at a time; the others are safe from any.
class ReclaimPace {
 public:
  // What a byte that is written makes reclaim read and write, at most: two of segments that are
  // half kept, and the half; and a byte to catch up.
  static constexpr uint64_t kFactor = 4;
  // What is let pass at once.
  static constexpr uint64_t kPiece = 256 * 1024;
  // Over which what is written is averaged.
  static constexpr uint64_t kWindow = 100'000'000;

  // `least` bytes a second are let pass whatever is written; 0 is without any limit.
  ReclaimPace(MonotonicClock& clock, uint64_t least) noexcept;
  ReclaimPace(const ReclaimPace&) = delete;
  ReclaimPace& operator=(const ReclaimPace&) = delete;

  void Wrote(uint64_t bytes) noexcept { written_.fetch_add(bytes, std::memory_order_relaxed); }
  // Whether room is scarce. Who waits goes on at once.
  void Hurry(bool scarce) noexcept;
  // Reclaim is about to read or write so many bytes: waits until it may.
  void Wait(uint64_t bytes) noexcept;
  // Another `least`, from here on; who waits goes on.
  void SetLeast(uint64_t least) noexcept;
  // Nobody waits any more.
  void Close() noexcept;
  // Bytes a second that are let pass now; 0 is without limit.
  uint64_t rate() const noexcept { return hurried_ ? 0 : rate_.load(); }

 private:
  void Adapt() noexcept;

  MonotonicClock& clock_;
  std::atomic<uint64_t> least_;
  RateLimit limit_;
  std::atomic<uint64_t> written_{0};
  std::atomic<uint64_t> rate_;
  std::atomic<bool> hurried_{false};

  // Whose is Wait.
  uint64_t owed_ = 0;
  uint64_t window_from_ = 0;
  uint64_t written_before_ = 0;
  uint64_t average_ = 0;
};

}  // namespace drey::file
