#include "memory/buffer_slab.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

using namespace drey;

namespace {

constexpr uint64_t kMiB = 1024 * 1024;

// The system's memory with huge pages, which counts what is asked of it, and refuses what it is
// told to.
class CountingMemory final : public SystemMemory {
 public:
  uint64_t Granularity() const noexcept override { return PosixMemory().Granularity(); }
  uint64_t HugePage() const noexcept override { return huge; }
  uint64_t Physical() const noexcept override { return 64 * kMiB; }
  uint8_t* Reserve(uint64_t bytes) noexcept override {
    if (refuses_to_reserve) return nullptr;
    reserved += bytes;
    return PosixMemory().Reserve(bytes);
  }
  void Release(uint8_t* start, uint64_t bytes) noexcept override {
    reserved -= bytes;
    PosixMemory().Release(start, bytes);
  }
  bool Commit(uint8_t* start, uint64_t bytes) noexcept override {
    return !refuses_to_commit && PosixMemory().Commit(start, bytes);
  }
  void GiveBack(uint8_t* start, uint64_t bytes) noexcept override {
    PosixMemory().GiveBack(start, bytes);
  }
  bool Drop(uint8_t* start, uint64_t bytes) noexcept override {
    return !refuses_to_drop && PosixMemory().Drop(start, bytes);
  }
  void PreferHuge(uint8_t* start, uint64_t bytes) noexcept override {
    hinted += bytes;
    PosixMemory().PreferHuge(start, bytes);
  }

  uint64_t huge = 2 * kMiB;
  uint64_t reserved = 0;
  uint64_t hinted = 0;
  bool refuses_to_reserve = false;
  bool refuses_to_commit = false;
  bool refuses_to_drop = false;
};

bool IsAll(const BufferSlab& slab, uint8_t mark) {
  for (uint64_t at = 0; at < slab.size(); at++) {
    if (slab.data()[at] != mark) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("buffer slab: all of it can be used, and goes at the end") {
  CountingMemory memory;
  for (const uint64_t bytes :
       {uint64_t{1}, uint64_t{4096}, uint64_t{10000}, 2 * kMiB, 2 * kMiB + 1, 3 * kMiB}) {
    const auto slab = BufferSlab::Map(memory, bytes);
    REQUIRE(slab != nullptr);
    REQUIRE(slab->size() == bytes);
    std::memset(slab->data(), 0x5a, bytes);
    CHECK(IsAll(*slab, 0x5a));
    CHECK(memory.reserved >= bytes);
  }
  CHECK(memory.reserved == 0);
}

TEST_CASE("buffer slab: begins at a huge page, and asks for one, where it is as large") {
  CountingMemory memory;
  const auto small = BufferSlab::Map(memory, kMiB);
  REQUIRE(small != nullptr);
  CHECK(memory.hinted == 0);
  std::vector<std::unique_ptr<BufferSlab>> slabs;
  for (int count = 0; count < 10; count++) {
    slabs.push_back(BufferSlab::Map(memory, memory.huge));
    REQUIRE(slabs.back() != nullptr);
    CHECK(reinterpret_cast<uintptr_t>(slabs.back()->data()) % memory.huge == 0);
  }
  CHECK(memory.hinted == 10 * memory.huge);

  memory.huge = memory.Granularity();
  const auto plain = BufferSlab::Map(memory, 2 * kMiB);
  REQUIRE(plain != nullptr);
  CHECK(memory.hinted == 10 * 2 * kMiB);
}

TEST_CASE("buffer slab: slabs do not overlap") {
  CountingMemory memory;
  std::vector<std::unique_ptr<BufferSlab>> slabs;
  for (uint8_t mark = 1; mark <= 20; mark++) {
    slabs.push_back(BufferSlab::Map(memory, mark % 2 == 0 ? 2 * kMiB : 100000));
    std::memset(slabs.back()->data(), mark, slabs.back()->size());
  }
  for (uint8_t mark = 1; mark <= 20; mark++) CHECK(IsAll(*slabs[mark - 1U], mark));
}

TEST_CASE("buffer slab: can be used again after it was given back") {
  CountingMemory memory;
  const auto slab = BufferSlab::Map(memory, 2 * kMiB);
  REQUIRE(slab != nullptr);
  for (int round = 0; round < 3; round++) {
    std::memset(slab->data(), 0x5a, slab->size());
    CHECK(IsAll(*slab, 0x5a));
    REQUIRE(slab->GiveBack());
    // Undefined, but there: on Linux it is new.
#ifdef __linux__
    CHECK(IsAll(*slab, 0));
#endif
  }
}

TEST_CASE("buffer slab: a system that refuses leaves nothing behind") {
  CountingMemory memory;
  CHECK(BufferSlab::Map(memory, 0) == nullptr);
  CHECK(BufferSlab::Map(memory, ~uint64_t{0}) == nullptr);
  memory.refuses_to_reserve = true;
  CHECK(BufferSlab::Map(memory, kMiB) == nullptr);
  memory.refuses_to_reserve = false;
  memory.refuses_to_commit = true;
  CHECK(BufferSlab::Map(memory, kMiB) == nullptr);
  CHECK(memory.reserved == 0);
  memory.refuses_to_commit = false;
  const auto slab = BufferSlab::Map(memory, kMiB);
  REQUIRE(slab != nullptr);
  slab->data()[5] = 7;
  memory.refuses_to_drop = true;
  CHECK_FALSE(slab->GiveBack());
  CHECK(slab->data()[5] == 7);
}
