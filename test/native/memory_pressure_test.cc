#include <doctest/doctest.h>

#include <thread>

#include "memory_fixture.h"

// A store that is asked to use less than its bound while memory is short.

using namespace drey;
using namespace drey::test;

namespace {

constexpr uint32_t kWhole = MemoryStore::kWhole;

bool Put(MemoryStore& store, uint64_t key, uint64_t size) {
  const std::string name = KeyOf(key);
  const std::vector<uint8_t> value = ValueOf(key, 0, size);
  return store.Set(SliceOf(name), value, At(0)) == MemoryStore::Stored::kDone;
}

// How many of the keys are there, all of them whole.
uint64_t Count(MemoryStore& store, uint64_t keys, uint64_t size) {
  uint64_t count = 0;
  std::vector<uint8_t> value(size);
  for (uint64_t key = 0; key < keys; key++) {
    const std::string name = KeyOf(key);
    Head head;
    if (store.GetCopy(SliceOf(name), value, {}, head, true) != MemoryStore::Copied::kDone) continue;
    REQUIRE(value == ValueOf(key, 0, size));
    count += 1;
  }
  return count;
}

void YieldAll(MemoryStore& store, uint64_t step = kMiB) {
  while (!store.Yield(step)) {
  }
}

}  // namespace

TEST_CASE("memory store: under pressure it keeps to a part, gives the rest back, and grows again") {
  for (const PolicyKind policy : {PolicyKind::kLru, PolicyKind::kS3Fifo, PolicyKind::kWTinyLfu}) {
    ManualClock clock;
    FaultyMemory memory;
    const auto store =
        MakeStore({.max_bytes = 64 * kMiB, .policy = policy, .system = &memory}, clock);
    for (uint64_t key = 0; key < 70000; key++) Put(*store, key, 1000);
    const uint64_t before = store->stats().entries;
    REQUIRE(before > 50000);
    store->Press(kWhole, 200);
    CHECK(store->stats().entries == before);
    YieldAll(*store);
    MemoryStore::Stats stats = store->stats();
    CHECK(stats.bytes <= 64 * kMiB / 5);
    CHECK(memory.committed <= 64 * kMiB / 5 + 65536);
    CHECK(stats.max_bytes == 64 * kMiB);
    CHECK(stats.max_item_bytes == 8 * kMiB);
    CHECK(stats.entries > 8000);
    CHECK(Count(*store, 70000, 1000) == stats.entries);
    for (uint64_t key = 0; key < 20000; key++) {
      CHECK(Put(*store, 100000 + key, 1000));
      if (key % 100 == 0) CHECK(store->stats().bytes <= 64 * kMiB / 5);
    }
    store->Press(200, kWhole);
    CHECK(store->Yield(0));
    for (uint64_t key = 0; key < 70000; key++) Put(*store, key, 1000);
    CHECK(store->stats().entries > 50000);
    CHECK(store->stats().memory_refusals == 0);
  }
}

TEST_CASE("memory store: each step of giving way evicts about what was asked") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 32 * kMiB, .policy = PolicyKind::kFifo}, clock);
  for (uint64_t key = 0; key < 35000; key++) Put(*store, key, 1000);
  store->Press(kWhole, 500);
  uint64_t before = store->stats().bytes;
  uint64_t steps = 0;
  for (bool done = false; !done; steps++) {
    done = store->Yield(kMiB);
    const uint64_t now = store->stats().bytes;
    CHECK(now <= before);
    CHECK(before - now <= kMiB + 2 * store->page_bytes());
    before = now;
  }
  CHECK(steps >= 15);
  CHECK(before <= 16 * kMiB);
  // What nobody uses is given up in one step.
  const auto empty = MakeStore({.max_bytes = 32 * kMiB}, clock);
  empty->Press(kWhole, 500);
  CHECK(empty->Yield(0));
}

TEST_CASE("memory store: of several who want a part the least counts, until it is wanted no more") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 32 * kMiB, .policy = PolicyKind::kLru}, clock);
  const auto fill = [&] {
    for (uint64_t key = 0; key < 40000; key++) Put(*store, key, 1000);
    return store->stats().bytes;
  };
  store->Press(kWhole, 500);
  store->Press(kWhole, 200);
  store->Press(kWhole, 500);
  YieldAll(*store);
  CHECK(fill() <= 32 * kMiB / 5);
  store->Press(200, 900);
  CHECK(fill() > 15 * kMiB);
  CHECK(store->stats().bytes <= 16 * kMiB);
  store->Press(500, kWhole);
  CHECK(fill() <= 16 * kMiB);
  store->Press(500, kWhole);
  CHECK(fill() <= 32 * kMiB / 10 * 9);
  store->Press(900, kWhole);
  CHECK(fill() > 30 * kMiB);
}

TEST_CASE("memory store: a bound configured under pressure is for both") {
  ManualClock clock;
  const auto store =
      MakeStore({.max_bytes = 32 * kMiB, .policy = PolicyKind::kLru, .ceiling = 64 * kMiB}, clock);
  store->Press(kWhole, 500);
  for (uint64_t key = 0; key < 40000; key++) Put(*store, key, 1000);
  YieldAll(*store);
  CHECK(store->Configure(20 * kMiB, 0, PolicyKind::kLru).ok());
  CHECK(store->stats().bytes <= 10 * kMiB);
  CHECK(store->stats().max_bytes == 20 * kMiB);
  CHECK(store->Configure(64 * kMiB, 0, PolicyKind::kSieve).ok());
  for (uint64_t key = 0; key < 60000; key++) Put(*store, key, 1000);
  CHECK(store->stats().bytes <= 32 * kMiB);
  CHECK(store->stats().bytes > 30 * kMiB);
  // A store is never asked for less than the least there is.
  CHECK(store->Configure(2 * kMiB, 0, PolicyKind::kSieve).ok());
  store->Press(500, 1);
  YieldAll(*store);
  for (uint64_t key = 0; key < 500; key++) CHECK(Put(*store, key, 1000));
  CHECK(store->stats().bytes <= kMiB);
}

TEST_CASE("memory store: memory refused under pressure does not lower the bound twice") {
  ManualClock clock;
  FaultyMemory memory;
  const auto store = MakeStore({.max_bytes = 32 * kMiB, .system = &memory}, clock);
  store->Press(kWhole, 500);
  YieldAll(*store);
  memory.most_committed = 8 * kMiB;
  for (uint64_t key = 0; key < 30000; key++) Put(*store, key, 1000);
  CHECK(store->stats().memory_refusals > 0);
  CHECK(store->stats().bytes <= 8 * kMiB);
  CHECK(store->stats().bytes > 6 * kMiB);
  memory.most_committed = UINT64_MAX;
  store->Press(500, kWhole);
  for (uint64_t key = 0; key < 30000; key++) Put(*store, key, 1000);
  CHECK(store->stats().max_bytes > 20 * kMiB);
  CHECK(store->stats().bytes > 20 * kMiB);
}

TEST_CASE("memory store: what is pinned is given up when it is let go") {
  ManualClock clock;
  const auto store = MakeStore(
      {.max_bytes = 16 * kMiB, .max_item_bytes = 8 * kMiB, .policy = PolicyKind::kLru}, clock);
  REQUIRE(Put(*store, 1, 6 * kMiB));
  {
    const std::string name = KeyOf(1);
    EntryRef reading = store->Find(SliceOf(name));
    REQUIRE(reading.found());
    store->Press(kWhole, 200);
    YieldAll(*store);
    CHECK(store->stats().entries == 1);
    CHECK(!Put(*store, 2, 100000));
    std::vector<uint8_t> copy(6 * kMiB);
    for (uint64_t at = 0; at < copy.size();) {
      const Slice view = reading.View(at);
      REQUIRE(view.size() > 0);
      std::memcpy(copy.data() + at, view.data(), view.size());
      at += view.size();
    }
    CHECK(copy == ValueOf(1, 0, 6 * kMiB));
  }
  CHECK(Put(*store, 2, 100000));
  CHECK(store->stats().bytes <= 16 * kMiB / 5);
}

TEST_CASE("memory store: pressure from several threads, under load") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 16 * kMiB, .policy = PolicyKind::kS3Fifo}, clock);
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 3; number++) {
    threads.emplace_back([&store, number] {
      Random random(number + 1);
      uint32_t part = kWhole;
      for (uint64_t round = 0; round < 3000; round++) {
        Put(*store, random.Below(20000), 200 + random.Below(3000));
        if (round % 50 != 0) continue;
        const uint32_t wanted = 200 * static_cast<uint32_t>(1 + random.Below(5));
        store->Press(part, wanted);
        part = wanted;
        YieldAll(*store, 512 * 1024);
      }
      store->Press(part, kWhole);
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(store->Yield(0));
  for (uint64_t key = 0; key < 30000; key++) Put(*store, key, 1000);
  CHECK(store->stats().bytes > 15 * kMiB);
}
