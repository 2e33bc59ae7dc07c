#include "memory/whole_pages.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

using namespace drey;

namespace {

// The system's memory, which refuses when it is told to.
class TestMemory final : public SystemMemory {
 public:
  uint64_t Granularity() const noexcept override { return PosixMemory().Granularity(); }
  uint64_t HugePage() const noexcept override { return PosixMemory().HugePage(); }
  uint64_t Physical() const noexcept override { return PosixMemory().Physical(); }
  uint8_t* Reserve(uint64_t bytes) noexcept override { return PosixMemory().Reserve(bytes); }
  void Release(uint8_t* start, uint64_t bytes) noexcept override {
    PosixMemory().Release(start, bytes);
  }
  bool Commit(uint8_t* start, uint64_t bytes) noexcept override {
    return PosixMemory().Commit(start, bytes);
  }
  void GiveBack(uint8_t* start, uint64_t bytes) noexcept override {
    PosixMemory().GiveBack(start, bytes);
  }
  bool Drop(uint8_t* start, uint64_t bytes) noexcept override {
    return !refuses && PosixMemory().Drop(start, bytes);
  }

  bool refuses = false;
};

// A few pages, all of one byte.
class Pages {
 public:
  Pages() : bytes(8 * PosixMemory().Granularity()), start(PosixMemory().Reserve(bytes)) {
    REQUIRE(start != nullptr);
    REQUIRE(PosixMemory().Commit(start, bytes));
    Fill();
  }
  ~Pages() { PosixMemory().Release(start, bytes); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  void Fill() { std::fill_n(start, bytes, uint8_t{0x5a}); }
  bool IsKept(uint64_t from, uint64_t to) const {
    return std::all_of(start + from, start + to, [](uint8_t byte) { return byte == 0x5a; });
  }

  const uint64_t bytes;
  uint8_t* const start;
};

}  // namespace

TEST_CASE("whole pages: what lies beside the range stays, and what is in it can be used again") {
  TestMemory memory;
  const uint64_t page = memory.Granularity();
  Pages pages;
  for (const uint64_t from : {uint64_t{0}, uint64_t{1}, uint64_t{16}, page - 1, page, page + 1}) {
    for (const uint64_t size : {3 * page - 1, 3 * page, 3 * page + 1, 5 * page + 7}) {
      pages.Fill();
      REQUIRE(DropWholePages(memory, pages.start + from, size));
      const uint64_t first = (from + page - 1) / page * page;
      const uint64_t last = (from + size) / page * page;
      CHECK(pages.IsKept(0, first));
      CHECK(pages.IsKept(last, pages.bytes));
#ifdef __linux__
      // Elsewhere it is undefined; here it is new.
      CHECK(std::all_of(pages.start + first, pages.start + last,
                        [](uint8_t byte) { return byte == 0; }));
#endif
    }
  }
}

TEST_CASE("whole pages: a range without any, and a system that refuses, change nothing") {
  TestMemory memory;
  const uint64_t page = memory.Granularity();
  Pages pages;
  CHECK_FALSE(DropWholePages(memory, nullptr, 8 * page));
  CHECK_FALSE(DropWholePages(memory, pages.start, 0));
  CHECK_FALSE(DropWholePages(memory, pages.start, page - 1));
  CHECK_FALSE(DropWholePages(memory, pages.start + 1, page));
  CHECK_FALSE(DropWholePages(memory, pages.start + 1, 2 * page - 2));
  CHECK_FALSE(DropWholePages(memory, pages.start + page - 1, 1));
  memory.refuses = true;
  CHECK_FALSE(DropWholePages(memory, pages.start, 8 * page));
  CHECK(pages.IsKept(0, pages.bytes));
}
