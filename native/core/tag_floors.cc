#include "core/tag_floors.h"

#include <algorithm>

namespace drey {
namespace {

// Of one tag: the last soft invalidation says since when.
bool Raise(TagFloor& floor, const TagFloor& by) {
  const bool softer = by.soft > floor.soft;
  if (softer) {
    floor.soft = by.soft;
    floor.at = by.at;
  }
  const bool harder = by.hard > floor.hard;
  if (harder) floor.hard = by.hard;
  return softer || harder;
}

}  // namespace

void TagFloors::Invalidate(std::span<const TagFloor> given, uint64_t least) {
  sequence_ = std::max(sequence_, least) + 1;
  version_ += 1;
  for (TagFloor floor : given) {
    if (floor.hard != 0) floor.hard = sequence_;
    if (floor.soft != 0) floor.soft = sequence_;
    Join(floor);
  }
}

void TagFloors::Join(std::span<const TagFloor> given, uint64_t sequence) {
  sequence_ = std::max(sequence_, sequence);
  version_ += 1;
  for (const TagFloor& floor : given) {
    sequence_ = std::max({sequence_, floor.hard, floor.soft});
    if (floor.tag.empty()) {
      JoinBase(floor);
    } else {
      Join(floor);
    }
  }
}

void TagFloors::RaiseAll() {
  sequence_ += kLeap;
  version_ += 1;
  JoinBase({.tag = {}, .hard = sequence_});
}

std::vector<TagFloor> TagFloors::Since(uint64_t version) const {
  std::vector<TagFloor> found;
  if (base_changed_ > version) found.push_back(base_);
  for (auto item = items_.rbegin(); item != items_.rend() && item->changed > version; ++item) {
    found.push_back(item->floor);
  }
  return found;
}

void TagFloors::Join(const TagFloor& given) {
  const auto known = by_tag_.find(given.tag);
  if (known != by_tag_.end()) {
    Item& item = *known->second;
    if (!Raise(item.floor, given)) return;
    item.changed = version_;
    items_.splice(items_.end(), items_, known->second);
    return;
  }
  // What the base says already needs no place of its own.
  if (given.hard <= base_.hard && given.soft <= base_.soft) return;
  items_.push_back({given, version_});
  const Items::iterator item = std::prev(items_.end());
  by_tag_.emplace(item->floor.tag, item);
  bytes_ += CostOf(given);
  while (items_.size() > kMostFloors || bytes_ > most_bytes_) {
    const TagFloor& oldest = items_.front().floor;
    JoinBase(oldest);
    bytes_ -= CostOf(oldest);
    by_tag_.erase(oldest.tag);
    items_.pop_front();
  }
}

void TagFloors::JoinBase(const TagFloor& given) {
  // Of several tags: what was made stale first says since when.
  if (given.soft > 0) base_.at = base_.soft == 0 ? given.at : std::min(base_.at, given.at);
  base_.soft = std::max(base_.soft, given.soft);
  base_.hard = std::max(base_.hard, given.hard);
  base_changed_ = version_;
}

}  // namespace drey
