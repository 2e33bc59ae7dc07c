#include "memory_store/wheel.h"

#include <algorithm>
#include <bit>

namespace drey {

Wheel::Wheel(WheelEntries& entries) noexcept : entries_(entries) { first_.fill(kNobody); }

uint32_t Wheel::ListFor(uint64_t deadline) const noexcept {
  if (deadline <= elapsed_) return kDueList;
  const auto level = static_cast<uint32_t>(63 - std::countl_zero(deadline ^ elapsed_)) / 6;
  constexpr uint32_t kTop = kLevels - 1;
  if (level < kTop) {
    return level * kLists + static_cast<uint32_t>((deadline >> (6 * level)) & 63);
  }
  // The last level goes round: its lists are those of the next 63 spans, wherever they begin.
  const uint64_t here = elapsed_ >> (6 * kTop);
  const uint64_t ahead = std::min<uint64_t>((deadline >> (6 * kTop)) - here, kLists - 1);
  return kTop * kLists + static_cast<uint32_t>((here + ahead) & 63);
}

void Wheel::Push(uint32_t list, uint32_t handle) noexcept {
  const uint32_t next = first_[list];
  entries_.SetLinks(handle, {kHead + list, next});
  if (next != kNobody) entries_.SetLinks(next, {handle, entries_.LinksOf(next).next});
  first_[list] = handle;
  if (list < kDueList) occupied_[list / kLists] |= uint64_t{1} << (list % kLists);
}

void Wheel::Add(uint32_t handle) noexcept { Push(ListFor(entries_.DeadlineOf(handle)), handle); }

void Wheel::Remove(uint32_t handle) noexcept {
  const WheelLinks links = entries_.LinksOf(handle);
  if (links.next != kNobody) {
    entries_.SetLinks(links.next, {links.previous, entries_.LinksOf(links.next).next});
  }
  if (links.previous < kHead) {
    entries_.SetLinks(links.previous, {entries_.LinksOf(links.previous).previous, links.next});
    return;
  }
  const uint32_t list = links.previous - kHead;
  first_[list] = links.next;
  if (links.next == kNobody && list < kDueList) {
    occupied_[list / kLists] &= ~(uint64_t{1} << (list % kLists));
  }
}

// Goes to `now` by way of the lists that are not empty, lowest level first, and files what is in
// them anew.
void Wheel::Advance(uint64_t now) noexcept {
  while (elapsed_ < now) {
    uint64_t soonest = now;
    uint32_t list = kDueList;
    for (uint32_t level = 0; level < kLevels && list == kDueList; level++) {
      if (occupied_[level] == 0) continue;
      const uint32_t shift = 6 * level;
      const auto here = static_cast<uint32_t>((elapsed_ >> shift) & 63);
      // Lists behind `here` are of the next turn; only the last level has such.
      const auto ahead = static_cast<uint32_t>(
          std::countr_zero(std::rotr(occupied_[level], static_cast<int>(here))));
      const uint64_t starts = ((elapsed_ >> shift) + ahead) << shift;
      if (starts > soonest) continue;
      soonest = std::max(starts, elapsed_);
      list = level * kLists + ((here + ahead) & 63);
    }
    elapsed_ = soonest;
    if (list == kDueList) return;
    uint32_t handle = first_[list];
    first_[list] = kNobody;
    occupied_[list / kLists] &= ~(uint64_t{1} << (list % kLists));
    while (handle != kNobody) {
      const uint32_t next = entries_.LinksOf(handle).next;
      Add(handle);
      handle = next;
    }
  }
}

uint32_t Wheel::Due(uint64_t now) noexcept {
  Advance(now);
  return first_[kDueList];
}

}  // namespace drey
