#include "file_store/reclaim_pace.h"

#include <algorithm>

namespace drey::file {

ReclaimPace::ReclaimPace(MonotonicClock& clock, uint64_t least) noexcept
    : clock_(clock),
      least_(least),
      limit_(clock, least, kPiece),
      rate_(least),
      window_from_(clock.Nanoseconds()) {}

void ReclaimPace::Hurry(bool scarce) noexcept {
  if (least_ == 0 || hurried_.exchange(scarce) == scarce) return;
  limit_.SetRate(scarce ? 0 : rate_.load(), kPiece);
}

void ReclaimPace::Wait(uint64_t bytes) noexcept {
  if (least_ == 0) return;
  owed_ += bytes;
  if (owed_ < kPiece) return;
  Adapt();
  // Closed, there is nothing to wait for.
  static_cast<void>(limit_.Wait(owed_));
  owed_ = 0;
}

void ReclaimPace::SetLeast(uint64_t least) noexcept {
  least_ = least;
  rate_ = least;
  // Without a limit nobody waits, hurried or not; Hurry says the rest when room gets scarce.
  hurried_ = false;
  limit_.SetRate(least, kPiece);
}

void ReclaimPace::Close() noexcept { limit_.Close(); }

void ReclaimPace::Adapt() noexcept {
  const uint64_t now = clock_.Nanoseconds();
  const uint64_t elapsed = now - std::min(now, window_from_);
  if (elapsed < kWindow) return;
  constexpr double kSecond = 1e9;
  const uint64_t written = written_.load(std::memory_order_relaxed);
  const double latest =
      static_cast<double>(written - written_before_) * kSecond / static_cast<double>(elapsed);
  // After a rest, what was before it says nothing.
  const bool rested = elapsed > 10 * kWindow;
  average_ =
      rested ? static_cast<uint64_t>(latest) : (average_ + static_cast<uint64_t>(latest)) / 2;
  window_from_ = now;
  written_before_ = written;
  const uint64_t wanted = std::max(least_.load(), average_ * kFactor);
  const uint64_t before = rate_.exchange(wanted);
  // A new rate forgives what is owed: not for every small change.
  const uint64_t change = wanted > before ? wanted - before : before - wanted;
  if (change > before / 8 && !hurried_) limit_.SetRate(wanted, kPiece);
}

}  // namespace drey::file
