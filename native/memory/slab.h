#pragma once

#include <array>
#include <cstdint>

#include "memory/arena.h"
#include "memory/size_class.h"

namespace drey {

// Where a slot is: the page, and the slot in it. The highest bit is free for a mark of whoever
// keeps it.
using Location = uint32_t;
constexpr Location kNoLocation = UINT32_MAX >> 1;

// Slots of one shard: pages of the arena, each divided into slots of one class, or handed out
// whole.
//
// Invariants:
//  - The first two bytes of a slot are 0 exactly while it is free (whoever takes a slot writes
//  there at once), so
//    that a page can be walked and tells what lives in it. Whole pages are exempt.
//  - A page of slots is in its class's list exactly while it has a free slot and is not set aside;
//  a page without a used slot
//    goes back to the arena at once, so that another class or shard may have it.
//  - `free` of a class counts the free slots of all its pages, also of those set aside.
// Not for several threads: the shard's lock guards it.
class Slab {
 public:
  Slab(Arena& arena, const SizeClasses& classes) noexcept;
  ~Slab() = default;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // A slot of a page that is there; kNoLocation when all are full.
  Location Take(uint32_t size_class) noexcept;
  // Makes a page of the arena one of that class; false when the arena has none.
  bool AddPage(uint32_t size_class) noexcept;
  // A page as one slot.
  Location TakePage() noexcept;
  void Free(Location location) noexcept;

  uint8_t* At(Location location) const noexcept {
    const uint32_t page = PageOf(location);
    const uint32_t size_class = arena_.Info(page).size_class;
    uint8_t* const start = arena_.At(page);
    if (size_class == kWhole) return start;
    return start + uint64_t{SlotOf(location)} * classes_.Size(size_class);
  }
  uint64_t SizeOf(Location location) const noexcept {
    const uint32_t size_class = arena_.Info(PageOf(location)).size_class;
    return size_class == kWhole ? arena_.page_bytes() : classes_.Size(size_class);
  }

  // Whether Movable() has an answer, mostly.
  bool HasSurplus() const noexcept { return with_surplus_ > 0; }
  // A page whose slots would all fit into free slots of its class elsewhere; of those at hand the
  // emptiest. kNoPage when no class has that many.
  uint32_t Movable() const noexcept;
  // Nothing is taken from a page that is set aside. Ends with PutBack, or when the page's last slot
  // is freed.
  void SetAside(uint32_t page) noexcept;
  void PutBack(uint32_t page) noexcept;
  // The used slots of a page, in order; kNoLocation after the last. `after` is kNoLocation, or the
  // last answer.
  Location NextUsed(uint32_t page, Location after) const noexcept;

  bool IsPage(Location location) const noexcept {
    return arena_.Info(PageOf(location)).size_class == kWhole;
  }
  uint32_t ClassOfPage(uint32_t page) const noexcept { return arena_.Info(page).size_class; }
  uint64_t pages() const noexcept { return pages_; }
  // Bytes in free slots of pages that are taken.
  uint64_t idle_bytes() const noexcept { return idle_; }

  static uint32_t PageOf(Location location) noexcept { return location >> kSlotBits; }

 private:
  static constexpr uint32_t kSlotBits = 10;
  static constexpr uint8_t kWhole = UINT8_MAX;
  static constexpr uint16_t kNoSlot = UINT16_MAX;

  struct Class {
    uint32_t first = kNoPage;
    uint64_t free = 0;
  };

  static uint32_t SlotOf(Location location) noexcept {
    return location & ((uint32_t{1} << kSlotBits) - 1);
  }
  static Location Join(uint32_t page, uint32_t slot) noexcept { return page << kSlotBits | slot; }
  void List(uint32_t page, PageInfo& info) noexcept;
  void Unlist(PageInfo& info) noexcept;
  // All changes of what a class has free go through here.
  void AddFree(uint32_t size_class, int64_t slots) noexcept;

  Arena& arena_;
  const SizeClasses& classes_;
  std::array<Class, SizeClasses::kMost> by_class_{};
  uint64_t pages_ = 0;
  uint64_t idle_ = 0;
  // Classes that have a page's worth of free slots.
  uint32_t with_surplus_ = 0;
};

}  // namespace drey
