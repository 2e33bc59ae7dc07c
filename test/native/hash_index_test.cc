#include "index/hash_index.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "memory_fixture.h"

using namespace drey;
using namespace drey::test;

TEST_CASE("hash index: holds what was inserted while it grows and shrinks") {
  Ledger ledger(uint64_t{1} << 30);
  std::vector<uint32_t> hashes;
  HashIndex index(
      [](const void* context, uint32_t handle) {
        return (*static_cast<const std::vector<uint32_t>*>(context))[handle];
      },
      &hashes);
  REQUIRE(index.Reserve(PosixMemory(), ledger, 1000000));
  Random random(5);
  std::vector<bool> in;
  std::vector<uint32_t> live;
  uint64_t size = 0;
  double most = 0;
  for (int phase = 0; phase < 6; phase++) {
    const bool growing = phase % 2 == 0;
    const uint64_t target = growing ? 200000 : phase == 5 ? 0 : 20000;
    while (growing ? size < target : size > target) {
      if (growing && random.Below(4) != 0) {
        const auto handle = static_cast<uint32_t>(hashes.size());
        // Some hashes are equal, and some only nearly.
        const uint64_t kind = random.Below(20);
        hashes.push_back(kind == 0 && handle > 0 ? hashes[random.Below(handle)]
                                                 : static_cast<uint32_t>(random.Next() >> 32));
        in.push_back(true);
        live.push_back(handle);
        REQUIRE(index.Prepare() == Region::Growth::kDone);
        index.Insert(hashes.back(), handle);
        size += 1;
      } else if (size > 0) {
        std::swap(live[random.Below(live.size())], live.back());
        const uint32_t handle = live.back();
        live.pop_back();
        index.Erase(hashes[handle], handle);
        in[handle] = false;
        size -= 1;
      }
      if (growing && size > 5000) {
        most = std::max(most, static_cast<double>(index.committed()) / static_cast<double>(size));
      }
    }
    REQUIRE(index.size() == size);
    for (uint32_t handle = 0; handle < hashes.size(); handle++) {
      const uint32_t found =
          index.Find(hashes[handle], [&](uint32_t candidate) { return candidate == handle; });
      REQUIRE((found == handle) == in[handle]);
    }
  }
  CHECK(most < 16);
  CHECK(index.committed() <= 64 * 1024);
  CHECK(ledger.used() == index.committed());
}

TEST_CASE("hash index: where the bound has no room it says so, and loses nothing") {
  Ledger ledger(64 * 1024);
  std::vector<uint32_t> hashes;
  HashIndex index(
      [](const void* context, uint32_t handle) {
        return (*static_cast<const std::vector<uint32_t>*>(context))[handle];
      },
      &hashes);
  REQUIRE(index.Reserve(PosixMemory(), ledger, 1000000));
  Random random(6);
  while (index.Prepare() == Region::Growth::kDone) {
    const auto handle = static_cast<uint32_t>(hashes.size());
    hashes.push_back(static_cast<uint32_t>(random.Next() >> 32));
    index.Insert(hashes.back(), handle);
  }
  CHECK(hashes.size() > 5000);
  CHECK(ledger.used() <= 64 * 1024);
  for (uint32_t handle = 0; handle < hashes.size(); handle++) {
    REQUIRE(index.Find(hashes[handle], [&](uint32_t at) { return at == handle; }) == handle);
  }
}
