#include "memory/slab.h"

#include <doctest/doctest.h>

#include <map>

#include "memory_fixture.h"

using namespace drey;
using namespace drey::test;

TEST_CASE("size classes: every size has one, and little more") {
  for (const uint64_t page : {16384, 32768, 65536, 131072, 1048576}) {
    const SizeClasses classes(page);
    REQUIRE(classes.count() <= SizeClasses::kMost);
    double waste = 0;
    for (uint32_t bytes = 1; bytes <= classes.largest(); bytes++) {
      const uint32_t at = classes.For(bytes);
      REQUIRE(classes.Size(at) >= bytes);
      if (at > 0) REQUIRE(classes.Size(at - 1) < bytes);
      REQUIRE(classes.Slots(at) <= 1024);
      if (bytes > 1000 && bytes < 1600) {
        waste += static_cast<double>(page) / classes.Slots(at) - bytes;
      }
    }
    if (page == 65536) CHECK(waste / 599 < 18);
  }
}

TEST_CASE("slab: slots do not overlap, pages go back when empty") {
  constexpr uint64_t kMax = 4 << 20;
  Ledger ledger(kMax);
  FaultyMemory memory;
  {
    std::unique_ptr<Arena> arena;
    REQUIRE(Arena::Create(memory, ledger, kMax, kMax, arena).ok());
    const SizeClasses classes(arena->page_bytes());
    Slab slab(*arena, classes);
    Random random(3);
    // Slots by address; each is filled with its own number.
    std::map<uint8_t*, std::pair<Location, uint8_t>> used;
    for (int step = 0; step < 40000; step++) {
      if (random.Below(100) < (step / 10000 % 2 == 0 ? 70U : 30U)) {
        const auto size_class = static_cast<uint32_t>(random.Below(classes.count()));
        Location slot = slab.Take(size_class);
        if (slot == kNoLocation && slab.AddPage(size_class)) slot = slab.Take(size_class);
        if (slot == kNoLocation) continue;
        const auto mark = static_cast<uint8_t>(1 + random.Below(255));
        std::memset(slab.At(slot), mark, slab.SizeOf(slot));
        used[slab.At(slot)] = {slot, mark};
      } else if (!used.empty()) {
        auto it = used.begin();
        std::advance(it, static_cast<long>(random.Below(std::min<size_t>(used.size(), 50))));
        const auto [slot, mark] = it->second;
        for (uint64_t at = 0; at < slab.SizeOf(slot); at++) REQUIRE(it->first[at] == mark);
        slab.Free(slot);
        used.erase(it);
      }
      REQUIRE(ledger.used() <= kMax);
    }
    for (const auto& [address, slot] : used) slab.Free(slot.first);
    CHECK(slab.pages() == 0);
    CHECK(slab.idle_bytes() == 0);
    CHECK(arena->taken_pages() == 0);
    CHECK(arena->GiveBack(UINT64_MAX) > 0);
    CHECK(arena->free_pages() == 0);
  }
  CHECK(ledger.used() == 0);
  CHECK(memory.reservations == 0);
}
