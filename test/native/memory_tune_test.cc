// A bound and a policy of a memory store that change while it is used.

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "memory_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr uint64_t kMega = uint64_t{1} << 20;

}  // namespace

TEST_CASE("memory store: a bound goes down step by step, unless somebody else changes it") {
  for (const PolicyKind policy : {PolicyKind::kLru, PolicyKind::kWTinyLfu}) {
    ManualClock clock;
    FaultyMemory memory;
    const auto store =
        MakeStore({.max_bytes = 32 * kMega, .policy = policy, .system = &memory}, clock);
    for (uint64_t key = 0; key < 40000; key++) {
      const std::string name = KeyOf(key);
      store->Set(SliceOf(name), ValueOf(key, 0, 700), At(0));
    }
    CHECK(!store->Lower(31 * kMega, 8 * kMega));
    CHECK(!store->Lower(32 * kMega, 33 * kMega));
    CHECK(!store->Lower(32 * kMega, kMega - 1));
    uint64_t at = 32 * kMega;
    while (at > 8 * kMega) {
      const uint64_t to = at - kMega;
      REQUIRE(store->Lower(at, to));
      at = to;
      CHECK(store->stats().max_bytes == at);
      CHECK(store->stats().bytes <= at);
      store->Set(SliceOf(KeyOf(at)), ValueOf(at, 0, 700), At(0));
      CHECK(store->stats().bytes <= at);
    }
    REQUIRE(store->Configure(64 * kMega, 0, PolicyKind::kSieve).ok());
    CHECK(store->policy() == PolicyKind::kSieve);
    CHECK(!store->Lower(at, 4 * kMega));
    // Beneath a part that pressure asks for.
    store->Press(MemoryStore::kWhole, 500);
    REQUIRE(store->Lower(64 * kMega, 6 * kMega));
    CHECK(store->stats().bytes <= 6 * kMega);
    while (!store->Yield(kMega)) {
    }
    CHECK(store->stats().bytes <= 3 * kMega);
  }
}

TEST_CASE("memory store: bounds and policies change under threads that use it") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 16 * kMega, .shards = 4}, clock);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 3; number++) {
    threads.emplace_back([&, number] {
      Random random(number + 1);
      std::vector<uint8_t> into(4000);
      while (!over) {
        const uint64_t key = random.Next() % 20000;
        const std::string name = "key " + std::to_string(key);
        const std::vector<uint8_t> value(key % 4000, static_cast<uint8_t>(key));
        if (random.Next() % 2 == 0) {
          store->Set(SliceOf(name), value, Metadata{});
          continue;
        }
        Head head;
        if (store->GetCopy(SliceOf(name), into, {}, head, false) != MemoryStore::Copied::kDone) {
          continue;
        }
        if (head.size != value.size() || !std::equal(value.begin(), value.end(), into.begin())) {
          std::abort();
        }
      }
    });
  }
  // Bytes and bound, as anybody reads them while the bound goes down (I4).
  std::atomic<uint64_t> beyond{0};
  threads.emplace_back([&] {
    while (!over) {
      const MemoryStore::Stats seen = store->stats();
      if (seen.bytes > seen.max_bytes + seen.pinned_bytes) beyond++;
    }
  });
  Random random(9);
  constexpr PolicyKind kKinds[] = {PolicyKind::kLru,   PolicyKind::kFifo,   PolicyKind::kLfu,
                                   PolicyKind::kSieve, PolicyKind::kS3Fifo, PolicyKind::kWTinyLfu};
  for (int round = 0; round < 60; round++) {
    const uint64_t bound = (2 + random.Next() % 30) * kMega;
    const uint64_t from = store->stats().max_bytes;
    if (bound < from) {
      // So that there is something to evict.
      const std::vector<uint8_t> value(3900);
      for (uint64_t key = 0; key < from / 4096; key++) {
        const std::string name = "key " + std::to_string(20000 + key);
        store->Set(SliceOf(name), value, Metadata{});
      }
      CHECK(store->Lower(from, bound));
    } else {
      CHECK(store->Configure(bound, 0, kKinds[random.Next() % 6]).ok());
    }
    CHECK(store->stats().max_bytes == bound);
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
  CHECK(beyond == 0);
  const MemoryStore::Stats stats = store->stats();
  CHECK(stats.bytes <= stats.max_bytes);
}
