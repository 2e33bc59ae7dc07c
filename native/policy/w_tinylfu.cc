#include "policy/w_tinylfu.h"

#include <algorithm>

namespace drey {
namespace {

// Entries that one call moves at most, beside those that it is about; the next call goes on.
constexpr int kMostMoves = 256;
// A sample of the climber has so many uses for each entry of the cache.
constexpr uint64_t kUsesPerEntry = 10;
// In smaller samples chance outweighs what a step of the window changes.
constexpr uint64_t kLeastSample = 10240;

}  // namespace

bool WTinyLfu::Reserve(const PolicySetting& setting) noexcept {
  if (!sketch_.Reserve(setting.system, setting.ledger, setting.most_entries)) return false;
  SetCapacity(setting.capacity);
  return true;
}

// The window keeps its share of the capacity, so that what the climber has found is not lost.
void WTinyLfu::SetCapacity(uint64_t bytes) noexcept {
  const uint64_t least = bytes / 100 + (bytes % 100 != 0);
  const uint64_t rest = bytes - least;
  const uint64_t most = least + rest / 5 * 4 + rest % 5 * 4 / 5;
  const double share =
      capacity_ == 0 ? 0 : static_cast<double>(window_share_) / static_cast<double>(capacity_);
  const auto window = static_cast<uint64_t>(static_cast<double>(bytes) * share);
  window_share_ = std::clamp(window, least, most);
  protected_share_ = most - window_share_;
  least_window_ = least;
  capacity_ = bytes;
  sketch_.SetCapacity(bytes);
  climber_.SetCapacity(bytes);
}

void WTinyLfu::Add(uint32_t handle) noexcept {
  Spill();
  const uint64_t entries = uint64_t{count()} + 1;
  // Without memory the sketch goes on as it is; Prepare says what is missing.
  static_cast<void>(sketch_.Grow(entries));
  sketch_.Count(nodes_.Hash(handle), entries);
  nodes_[handle].set_mark(kWindow);
  if (nodes_.Size(handle) > window_share_) {
    window_.AddOldest(nodes_, handle);
  } else {
    window_.Add(nodes_, handle);
  }
  if (!filled_) return;
  climber_.Miss();
  Adapt();
}

void WTinyLfu::Touch(uint32_t handle) noexcept {
  sketch_.Count(nodes_.Hash(handle), count());
  if (nodes_[handle].mark() == kProbation && nodes_.Size(handle) <= protected_share_) {
    Move(handle, protected_, kProtected);
    Demote();
  } else {
    QueueOf(handle).list.Renew(nodes_, handle);
  }
  if (!filled_) return;
  climber_.Hit();
  Adapt();
}

void WTinyLfu::Remove(uint32_t handle) noexcept { QueueOf(handle).Remove(nodes_, handle); }

void WTinyLfu::Resize(uint32_t handle, uint64_t before) noexcept {
  QueueOf(handle).bytes += nodes_.Size(handle) - before;
}

uint32_t WTinyLfu::Evict(bool pinned_too) noexcept {
  filled_ = true;
  Pins pins(nodes_, pinned_too);
  const bool over = window_.bytes > window_share_;
  const uint32_t candidate = over ? pins.OldestOf(window_.list) : PolicyNode::kNone;
  uint32_t resident = pins.OldestOf(probation_.list);
  if (resident == PolicyNode::kNone) resident = pins.OldestOf(protected_.list);
  uint32_t victim = Loser(candidate, resident);
  if (victim == PolicyNode::kNone) victim = pins.OldestOf(window_.list);
  if (victim == PolicyNode::kNone) return victim;
  if (victim == resident && candidate != PolicyNode::kNone) Move(candidate, probation_, kProbation);
  Remove(victim);
  return victim;
}

uint32_t WTinyLfu::Loser(uint32_t candidate, uint32_t resident) const noexcept {
  if (candidate == PolicyNode::kNone) return resident;
  if (resident == PolicyNode::kNone) return candidate;
  return Frequency(candidate) > Frequency(resident) ? resident : candidate;
}

PolicyQueue& WTinyLfu::QueueOf(uint32_t handle) noexcept {
  const uint32_t mark = nodes_[handle].mark();
  if (mark == kWindow) return window_;
  return mark == kProbation ? probation_ : protected_;
}

void WTinyLfu::Move(uint32_t handle, PolicyQueue& to, Mark mark) noexcept {
  QueueOf(handle).Remove(nodes_, handle);
  nodes_[handle].set_mark(mark);
  to.Add(nodes_, handle);
}

void WTinyLfu::Spill() noexcept {
  for (int moves = kMostMoves; moves > 0 && window_.bytes > window_share_; moves--) {
    Move(window_.list.oldest, probation_, kProbation);
  }
}

void WTinyLfu::Demote() noexcept {
  for (int moves = kMostMoves; moves > 0 && protected_.bytes > protected_share_; moves--) {
    Move(protected_.list.oldest, probation_, kProbation);
  }
}

void WTinyLfu::Adapt() noexcept {
  const int64_t step = climber_.Climb(std::max(kUsesPerEntry * count(), kLeastSample));
  if (step > 0) {
    const uint64_t growth = std::min(static_cast<uint64_t>(step), protected_share_);
    window_share_ += growth;
    protected_share_ -= growth;
    if (growth > 0) FillWindow();
  } else if (step < 0) {
    const uint64_t loss = std::min(static_cast<uint64_t>(-step), window_share_ - least_window_);
    window_share_ -= loss;
    protected_share_ += loss;
    if (loss > 0) Spill();
  }
}

void WTinyLfu::FillWindow() noexcept {
  Demote();
  for (int moves = kMostMoves; moves > 0; moves--) {
    const uint32_t handle =
        probation_.list.count > 0 ? probation_.list.oldest : protected_.list.oldest;
    if (handle == PolicyNode::kNone) return;
    if (window_.bytes + nodes_.Size(handle) > window_share_) return;
    Move(handle, window_, kWindow);
  }
}

}  // namespace drey
