// Several values that are set in one step: all of them or none, whoever looks and whatever else is
// done meanwhile.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <thread>

#include "memory_fixture.h"
#include "memory_history.h"
#include "memory_store/flight.h"

using namespace drey;
using namespace drey::test;

namespace {

using Together = MemoryStore::Together;

// The values of keys 0 to `sizes.size()`, begun and written. Empty when there was no room for them.
std::vector<Together> Written(MemoryStore& store, uint64_t version,
                              const std::vector<uint64_t>& sizes, Owner owner = 1) {
  std::vector<Together> parts;
  bool room = true;
  for (uint64_t key = 0; key < sizes.size() && room; key++) {
    const uint64_t size = std::max(sizes[key], Pattern::kLeast);
    std::shared_ptr<Draft> draft = store.Begin(SliceOf(KeyOf(key)), size, owner);
    room =
        draft != nullptr && draft->Append(Pattern::Of(key, version, size)) == Draft::Outcome::kDone;
    if (draft != nullptr) parts.push_back({std::move(draft), At(1e12)});
  }
  if (room) return parts;
  for (const Together& part : parts) part.draft->Abort();
  return {};
}

// Which version the key has; 0 when it has none.
uint64_t VersionIn(MemoryStore& store, uint64_t key) {
  const EntryRef ref = store.Find(SliceOf(KeyOf(key)), true);
  if (!ref.found()) return 0;
  std::vector<uint8_t> value(ref.head().size);
  REQUIRE(ref.Read(0, value) == value.size());
  uint64_t size = 0;
  const uint64_t version = Pattern::VersionOf(key, value, size);
  REQUIRE(version != 0);
  REQUIRE(size == value.size());
  return version;
}

std::vector<uint64_t> VersionsIn(MemoryStore& store, uint64_t keys) {
  std::vector<uint64_t> versions;
  for (uint64_t key = 0; key < keys; key++) versions.push_back(VersionIn(store, key));
  return versions;
}

using Versions = std::vector<uint64_t>;
const std::vector<uint64_t> kSizes = {0, 100, 5000, 70000};

}  // namespace

TEST_CASE("memory store: a batch has all of its values, over what was there") {
  for (const uint32_t shards : {1U, 8U}) {
    ManualClock clock;
    const auto store = MakeStore({.max_bytes = 16 * kMiB, .shards = shards}, clock);
    const uint64_t before = store->batches();
    for (uint64_t version = 1; version <= 3; version++) {
      const std::vector<Together> parts = Written(*store, version, kSizes);
      REQUIRE(parts.size() == kSizes.size());
      // Nobody finds what is not committed.
      CHECK(VersionsIn(*store, 4) == Versions(4, version - 1));
      CHECK(store->CommitAll(parts));
      CHECK(VersionsIn(*store, 4) == Versions(4, version));
      CHECK(store->batches() == before + version);
      // They have ended.
      for (const Together& part : parts) {
        CHECK(part.draft->Commit(At(1e12)) == Draft::Outcome::kEnded);
      }
    }
    CHECK(store->stats().entries == 4);
    CHECK(store->stats().pinned_bytes == 0);
    CHECK(store->stats().refusals == 0);
    CHECK(store->CommitAll({}));
  }
}

TEST_CASE("memory store: a batch has none of its values where one cannot be had") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 16 * kMiB, .shards = 4}, clock);
  REQUIRE(store->CommitAll(Written(*store, 1, kSizes)));
  std::vector<Together> parts = Written(*store, 2, kSizes, 7);
  REQUIRE(parts.size() == 4);
  SUBCASE("its text is too long: what was there stays, and so do the drafts") {
    const std::vector<uint8_t> text(kMostTextBytes + 1);
    parts[2].metadata.has_user = true;
    parts[2].metadata.user = text;
    CHECK_FALSE(store->CommitAll(parts));
    CHECK(VersionsIn(*store, 4) == Versions(4, 1));
    CHECK(store->stats().refusals == 1);
    CHECK(parts[3].draft->Commit(At(1e12)) == Draft::Outcome::kDone);
    CHECK(VersionIn(*store, 3) == 2);
  }
  SUBCASE("its writer gave it up") {
    parts[2].draft->Abort();
    CHECK_FALSE(store->CommitAll(parts));
  }
  SUBCASE("its writer is gone") {
    store->AbortOwner(7);
    CHECK_FALSE(store->CommitAll(parts));
    CHECK(VersionsIn(*store, 4) == Versions(4, 1));
  }
  SUBCASE("it was committed alone") {
    REQUIRE(parts[2].draft->Commit(At(1e12)) == Draft::Outcome::kDone);
    CHECK_FALSE(store->CommitAll(parts));
    CHECK(VersionIn(*store, 2) == 2);
    parts.erase(parts.begin() + 2);
  }
  for (const Together& part : parts) {
    const uint64_t key = static_cast<uint64_t>(&part - parts.data());
    if (key < 2) CHECK(VersionIn(*store, key) < 2);
    part.draft->Abort();
  }
  // A draft holds what it took for those who read it, until it is let go.
  parts.clear();
  CHECK(store->stats().pinned_bytes == 0);
}

TEST_CASE("memory store: a batch is older than the deletes that came after it began") {
  for (const uint32_t shards : {1U, 8U}) {
    ManualClock clock;
    const auto store = MakeStore({.max_bytes = 16 * kMiB, .shards = shards}, clock);
    REQUIRE(store->CommitAll(Written(*store, 1, kSizes)));
    std::vector<Together> parts = Written(*store, 2, kSizes);
    store->Delete(SliceOf(KeyOf(1)));
    CHECK(store->CommitAll(parts));
    CHECK(VersionsIn(*store, 4) == Versions({2, 0, 2, 2}));

    parts = Written(*store, 3, kSizes);
    store->Clear();
    CHECK(store->CommitAll(parts));
    parts.clear();
    CHECK(VersionsIn(*store, 4) == Versions(4, 0));
    CHECK(store->stats().pinned_bytes == 0);
    CHECK(store->stats().entries == 0);
  }
}

TEST_CASE("memory store: of a batch and a write the one that commits last wins") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 16 * kMiB, .shards = 4}, clock);
  const std::vector<Together> older = Written(*store, 1, kSizes);
  const std::vector<Together> newer = Written(*store, 2, kSizes);
  CHECK(store->CommitAll(newer));
  CHECK(store->CommitAll(older));
  CHECK(VersionsIn(*store, 4) == Versions(4, 1));
  REQUIRE(store->Set(SliceOf(KeyOf(1)), Pattern::Of(1, 9, 100), At(1e12)) == Stored::kDone);
  CHECK(VersionsIn(*store, 4) == Versions({1, 9, 1, 1}));
}

TEST_CASE("memory store: a batch fences the fills of its keys, and no others") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 16 * kMiB, .shards = 4}, clock);
  const auto inside = store->Claim(SliceOf(KeyOf(1)), 1);
  const auto outside = store->Claim(SliceOf(KeyOf(50)), 1);
  REQUIRE(store->CommitAll(Written(*store, 1, kSizes)));
  const auto set = [&](const auto& claimed, uint64_t key) {
    return store->Set(SliceOf(KeyOf(key)), Pattern::Of(key, 5, 100), At(1e12),
                      claimed.flight.get());
  };
  CHECK(set(inside, 1) == Stored::kFenced);
  CHECK(set(outside, 50) == Stored::kDone);
  CHECK(VersionsIn(*store, 4) == Versions(4, 1));
  // Flights are held by the store until they end.
  store->AbortOwner(1);
}

TEST_CASE("memory store: who is open when a batch is set reads on in what was there") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 16 * kMiB, .shards = 4}, clock);
  REQUIRE(store->CommitAll(Written(*store, 1, kSizes)));
  {
    const EntryRef open = store->Find(SliceOf(KeyOf(3)));
    REQUIRE(store->CommitAll(Written(*store, 2, kSizes)));
    std::vector<uint8_t> value(open.head().size);
    CHECK(open.Read(0, value) == value.size());
    CHECK(value == Pattern::Of(3, 1, value.size()));
  }
  CHECK(store->stats().pinned_bytes == 0);
}

TEST_CASE("memory store: whatever room there is, a batch is there or is not") {
  uint64_t done = 0;
  uint64_t refused = 0;
  Random random(7);
  for (uint64_t round = 0; round < 40; round++) {
    ManualClock clock;
    FaultyMemory memory;
    {
      const auto store = MakeStore({.max_bytes = kMiB << random.Below(3),
                                    .max_item_bytes = kMiB,
                                    .shards = 1U << random.Below(4),
                                    .system = &memory},
                                   clock);
      REQUIRE(store != nullptr);
      Versions last(24, 0);
      for (uint64_t version = 1; version <= 60; version++) {
        // Others need room, too, and some of them are being read.
        const uint64_t other = 100 + random.Below(30);
        const uint64_t size = Pattern::kLeast + random.Below(60000);
        static_cast<void>(
            store->Set(SliceOf(KeyOf(other)), Pattern::Of(other, version, size), At(1e12)));
        std::vector<EntryRef> open;
        for (uint64_t held = random.Below(25); held > 0; held--) {
          open.push_back(store->Find(SliceOf(KeyOf(100 + random.Below(30)))));
        }
        std::vector<uint64_t> sizes(1 + random.Below(last.size()));
        const uint64_t most = 1ULL << (5 + random.Below(13));
        for (uint64_t& each : sizes) each = random.Below(most);
        std::vector<Together> parts = Written(*store, version, sizes);
        if (parts.empty()) continue;
        // What the system does not give is missed under the locks only.
        if (random.Below(3) == 0) memory.most_committed = memory.committed;
        const bool all = store->CommitAll(parts);
        memory.most_committed = UINT64_MAX;
        (all ? done : refused) += 1;
        for (uint64_t key = 0; key < last.size(); key++) {
          const uint64_t there = VersionIn(*store, key);
          const bool part = key < sizes.size();
          if (all && part) {
            CHECK(there == version);
          } else {
            CHECK((there == 0 || there == last[key]));
          }
          last[key] = there;
        }
        parts.clear();
        open.clear();
        CHECK(store->stats().pinned_bytes == 0);
        CHECK(store->stats().bytes <= store->stats().max_bytes);
      }
    }
    CHECK(memory.committed == 0);
  }
  MESSAGE(done << " batches were set, " << refused << " refused");
  CHECK(done > 0);
  CHECK(refused > 0);
}

TEST_CASE("memory store: threads see a batch or none of it, and never go back behind one") {
  for (const uint32_t shards : {1U, 8U}) {
    ManualClock clock;
    const auto store = MakeStore({.max_bytes = 32 * kMiB, .shards = shards}, clock);
    constexpr uint64_t kKeys = 8;
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(static_cast<int64_t>(SecondsOr(1) * 1000 / 2));
    std::atomic<bool> over = false;
    std::atomic<uint64_t> whole = 0;
    std::atomic<uint64_t> wrong = 0;
    uint64_t version = 1;
    const std::vector<uint64_t> sizes = {24, 100, 3000, 24, 20000, 24, 500, 70000};
    REQUIRE(store->CommitAll(Written(*store, version, sizes)));
    const auto read = [&](bool holds_off) {
      Random random(holds_off ? 1 : 2);
      while (!over) {
        if (holds_off) store->HoldOff();
        const uint64_t before = store->batches();
        std::array<uint64_t, kKeys> seen{};
        uint64_t least = 0;
        const uint64_t first = random.Below(kKeys);
        for (uint64_t at = 0; at < kKeys; at++) {
          const uint64_t key = (first + at) % kKeys;
          const EntryRef ref = store->Find(SliceOf(KeyOf(key)), true);
          if (!ref.found()) continue;
          std::vector<uint8_t> value(ref.head().size);
          uint64_t size = 0;
          if (ref.Read(0, value) != value.size()) wrong += 1;
          seen[key] = Pattern::VersionOf(key, value, size);
          // Who has seen one of the new values sees none of the old ones any more.
          if (seen[key] == 0 || seen[key] < least) wrong += 1;
          least = seen[key];
        }
        if (store->batches() != before) continue;
        whole += 1;
        for (const uint64_t one : seen) {
          if (one != 0 && one != least) wrong += 1;
        }
      }
    };
    std::vector<std::thread> threads;
    threads.emplace_back(read, false);
    threads.emplace_back(read, true);
    threads.emplace_back([&] {
      Random random(3);
      while (!over) {
        if (random.Below(50) == 0) store->Clear();
        store->Delete(SliceOf(KeyOf(random.Below(kKeys))));
        const auto claimed = store->Claim(SliceOf(KeyOf(random.Below(kKeys))), 9);
        store->AbortOwner(9);
        std::this_thread::yield();
      }
    });
    bool all = true;
    while (std::chrono::steady_clock::now() < until || version < 20) {
      version += 1;
      all = store->CommitAll(Written(*store, version, sizes)) && all;
    }
    over = true;
    for (std::thread& thread : threads) thread.join();
    CHECK(all);
    CHECK(wrong == 0);
    REQUIRE(store->CommitAll(Written(*store, version + 1, sizes)));
    CHECK(VersionsIn(*store, kKeys) == Versions(kKeys, version + 1));
    CHECK(store->stats().pinned_bytes == 0);
    MESSAGE(shards << " shards: " << version << " batches, seen whole " << whole.load()
                   << " times");
  }
}
