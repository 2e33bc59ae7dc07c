#include "memory/slab.h"

#include <cassert>
#include <cstring>

namespace drey {
namespace {

// How many pages of a class are compared when the emptiest is wanted: enough to find a good one,
// few enough to cost nothing beside moving what is in it.
constexpr int kLookedAt = 16;

struct FreeSlot {
  uint16_t mark;
  uint16_t next;
};

void MarkFree(uint8_t* slot, uint16_t next) noexcept {
  const FreeSlot free{0, next};
  std::memcpy(slot, &free, sizeof free);
}

uint16_t Mark(const uint8_t* slot) noexcept {
  uint16_t mark;
  std::memcpy(&mark, slot, sizeof mark);
  return mark;
}

}  // namespace

Slab::Slab(Arena& arena, const SizeClasses& classes) noexcept : arena_(arena), classes_(classes) {}

void Slab::List(uint32_t page, PageInfo& info) noexcept {
  Class& of = by_class_[info.size_class];
  info.previous = kNoPage;
  info.next = of.first;
  if (of.first != kNoPage) arena_.Info(of.first).previous = page;
  of.first = page;
  info.listed = true;
}

void Slab::Unlist(PageInfo& info) noexcept {
  if (info.previous == kNoPage) {
    by_class_[info.size_class].first = info.next;
  } else {
    arena_.Info(info.previous).next = info.next;
  }
  if (info.next != kNoPage) arena_.Info(info.next).previous = info.previous;
  info.listed = false;
}

void Slab::AddFree(uint32_t size_class, int64_t slots) noexcept {
  Class& of = by_class_[size_class];
  const uint64_t page = classes_.Slots(size_class);
  const bool before = of.free >= page;
  of.free += static_cast<uint64_t>(slots);
  const bool after = of.free >= page;
  if (after && !before) with_surplus_ += 1;
  if (before && !after) with_surplus_ -= 1;
  idle_ += static_cast<uint64_t>(slots) * classes_.Size(size_class);
}

Location Slab::Take(uint32_t size_class) noexcept {
  const uint32_t page = by_class_[size_class].first;
  if (page == kNoPage) return kNoLocation;
  PageInfo& info = arena_.Info(page);
  uint16_t slot = info.free_slot;
  if (slot == kNoSlot) {
    slot = info.fresh++;
  } else {
    FreeSlot free;
    std::memcpy(&free, At(Join(page, slot)), sizeof free);
    info.free_slot = free.next;
  }
  info.used += 1;
  AddFree(size_class, -1);
  if (info.used == classes_.Slots(size_class)) Unlist(info);
  return Join(page, slot);
}

bool Slab::AddPage(uint32_t size_class) noexcept {
  const uint32_t page = arena_.Take();
  if (page == kNoPage) return false;
  PageInfo& info = arena_.Info(page);
  info = PageInfo{.previous = kNoPage,
                  .next = kNoPage,
                  .free_slot = kNoSlot,
                  .fresh = 0,
                  .used = 0,
                  .size_class = static_cast<uint8_t>(size_class),
                  .listed = false,
                  .stuck = false};
  List(page, info);
  AddFree(size_class, classes_.Slots(size_class));
  pages_ += 1;
  return true;
}

Location Slab::TakePage() noexcept {
  const uint32_t page = arena_.Take();
  if (page == kNoPage) return kNoLocation;
  PageInfo& info = arena_.Info(page);
  info.size_class = kWhole;
  info.listed = false;
  info.used = 1;
  pages_ += 1;
  return Join(page, 0);
}

void Slab::Free(Location location) noexcept {
  const uint32_t page = PageOf(location);
  PageInfo& info = arena_.Info(page);
  if (info.size_class == kWhole) {
    info.used = 0;
    pages_ -= 1;
    arena_.Return(page);
    return;
  }
  uint8_t* const slot = At(location);
  assert(Mark(slot) != 0);
  MarkFree(slot, info.free_slot);
  info.free_slot = static_cast<uint16_t>(SlotOf(location));
  const uint32_t slots = classes_.Slots(info.size_class);
  const bool was_full = info.used == slots;
  info.used -= 1;
  info.stuck = false;
  AddFree(info.size_class, 1);
  if (info.used == 0) {
    if (info.listed) Unlist(info);
    AddFree(info.size_class, -int64_t{slots});
    pages_ -= 1;
    arena_.Return(page);
  } else if (was_full) {
    List(page, info);
  }
}

uint32_t Slab::Movable() const noexcept {
  uint32_t best = kNoPage;
  uint64_t best_bytes = UINT64_MAX;
  for (uint32_t at = 0; at < classes_.count(); at++) {
    if (by_class_[at].free < classes_.Slots(at)) continue;
    uint32_t page = by_class_[at].first;
    for (int looked = 0; page != kNoPage && looked < kLookedAt; looked++) {
      const PageInfo& info = arena_.Info(page);
      const uint64_t bytes = uint64_t{info.used} * classes_.Size(at);
      if (!info.stuck && bytes < best_bytes) {
        best = page;
        best_bytes = bytes;
      }
      page = info.next;
    }
  }
  return best;
}

void Slab::SetAside(uint32_t page) noexcept {
  PageInfo& info = arena_.Info(page);
  if (info.listed) Unlist(info);
}

void Slab::PutBack(uint32_t page) noexcept {
  PageInfo& info = arena_.Info(page);
  info.stuck = true;
  if (!info.listed && info.used < classes_.Slots(info.size_class)) List(page, info);
}

Location Slab::NextUsed(uint32_t page, Location after) const noexcept {
  const PageInfo& info = arena_.Info(page);
  const uint32_t size = classes_.Size(info.size_class);
  const uint8_t* const start = arena_.At(page);
  uint32_t slot = after == kNoLocation ? 0 : SlotOf(after) + 1;
  for (; slot < info.fresh; slot++) {
    if (Mark(start + uint64_t{slot} * size) != 0) return Join(page, slot);
  }
  return kNoLocation;
}

}  // namespace drey
