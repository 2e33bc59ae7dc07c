// What a stranger, a broken clock or a slow reader can do to a memory store.

#include <doctest/doctest.h>

#include <fstream>
#include <thread>

#include "memory_own_values.h"
#include "memory_store/flight.h"

using namespace drey;
using namespace drey::test;

TEST_CASE("hostile: sizes that no memory has") {
  ManualClock clock;
  for (const uint64_t max : {UINT64_MAX, UINT64_MAX / 2, uint64_t{1} << 63, uint64_t{1} << 51}) {
    CHECK(MakeStore({.max_bytes = max}, clock) == nullptr);
  }
  // May be had or not, by what the machine has of addresses.
  static_cast<void>(MakeStore({.max_bytes = uint64_t{1} << 50}, clock));
  for (const uint64_t ceiling : {UINT64_MAX, UINT64_MAX - 65534, uint64_t{1} << 47}) {
    const auto store = MakeStore({.max_bytes = 2 * kMiB, .ceiling = ceiling}, clock);
    if (store != nullptr) CHECK(Put(*store, 1, 1000) == Stored::kDone);
  }
  const auto store = MakeStore({.max_bytes = 2 * kMiB}, clock);
  for (const uint64_t declared : {UINT64_MAX - 1, UINT64_MAX / 2, 2 * kMiB + 1, kMiB}) {
    CHECK(store->Begin(SliceOf("k"), declared, 1) == nullptr);
  }
  CHECK(!store->Configure(UINT64_MAX, 0, PolicyKind::kLru).ok());
  CHECK(!store->Configure(4 * kMiB, UINT64_MAX, PolicyKind::kLru).ok());
  const std::vector<uint8_t> long_key(MemoryStore::kMostKeyBytes + 1, 'k');
  CHECK(store->Set(long_key, SliceOf("v"), At(1e12)) == Stored::kTooLarge);
  CHECK(store->Begin(long_key, 1, 1) == nullptr);
  const Slice longest = Slice(long_key).first(MemoryStore::kMostKeyBytes);
  CHECK(store->Set(longest, SliceOf("v"), At(1e12)) == Stored::kDone);
  CHECK(store->Find(longest).found());
  CHECK(!store->Find(Slice(long_key).first(MemoryStore::kMostKeyBytes - 1)).found());

  const std::vector<uint8_t> text(kMostTextBytes + 1, 't');
  Metadata metadata = At(1e12);
  metadata.has_user = true;
  metadata.user = text;
  CHECK(store->Set(SliceOf("k"), SliceOf("v"), metadata) == Stored::kTooLarge);
  const auto draft = store->Begin(SliceOf("k"), 1, 1);
  CHECK(draft->Append(SliceOf("v")) == Draft::Outcome::kDone);
  CHECK(draft->Commit(metadata) == Draft::Outcome::kTooLarge);
  CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kEnded);
  CHECK(store->Set(SliceOf("k"), SliceOf("v"), At(1e12)) == Stored::kDone);
  const Version version = store->Find(SliceOf("k")).head().version;
  CHECK(store->Revise(SliceOf("k"), version, metadata) == Stored::kTooLarge);
}

TEST_CASE("hostile: keys that are empty, end in zeros, or begin alike are different keys") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 2 * kMiB}, clock);
  const std::vector<uint8_t> zeros(200);
  const std::vector<uint8_t> ones(200, 1);
  for (size_t size = 0; size <= zeros.size(); size++) {
    REQUIRE(store->Set(Slice(zeros).first(size), Slice(ones).first(size), At(1e12)) ==
            Stored::kDone);
  }
  CHECK(store->Set({}, {}, At(2e12)) == Stored::kDone);
  for (size_t size = 0; size <= zeros.size(); size++) {
    const EntryRef ref = store->Find(Slice(zeros).first(size));
    REQUIRE(ref.found());
    CHECK(ref.head().size == size);
  }
  CHECK(store->Find({}).head().cached_at == 2e12);
  CHECK(store->Delete({}));
  CHECK(!store->Find({}).found());
  CHECK(store->Find(Slice(zeros).first(1)).found());
}

TEST_CASE("hostile: times that are no times") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = kMiB}, clock);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  uint64_t key = 0;
  for (const double time : {nan, kNever, -kNever, -0.0, -1.5, 1e300, 5e-324, 281474976710656.0}) {
    for (const double until : {nan, kNever, -kNever, -1.0, 0.0, 1e300, clock.now.load()}) {
      Metadata metadata = At(time);
      metadata.fresh_until = until;
      metadata.stale_if_error_until = until;
      REQUIRE(store->Set(SliceOf(KeyOf(key)), SliceOf("v"), metadata) == Stored::kDone);
      const Head head = store->Find(SliceOf(KeyOf(key))).head();
      CHECK(std::memcmp(&head.cached_at, &metadata.cached_at, 8) == 0);
      CHECK(std::memcmp(&head.fresh_until, &metadata.fresh_until, 8) == 0);
      key += 1;
    }
  }
  // The clock goes to the end of time and back while room is wanted.
  for (const double now : {1e12, 1e18, 0.0, -5.0, 1e300, 2e12}) {
    clock.now = now;
    for (uint64_t at = 100; at < 3000; at++) Put(*store, at, 1000, now + 10);
    CHECK(store->stats().bytes <= kMiB);
  }
  CHECK(Has(*store, 2999));
}

TEST_CASE("hostile: texts, flights and lists of pieces are within the bound as well") {
  ManualClock clock;
  for (const uint64_t max : {kMiB, 20 * kMiB}) {
    const auto store = MakeStore({.max_bytes = max}, clock);
    // Small values with large texts, which lie on the heap.
    Metadata metadata = At(1e12);
    const std::string user(60000, 'u');
    metadata.has_user = true;
    uint64_t most = 0;
    for (uint64_t key = 0; key < 4000; key++) {
      metadata.user = SliceOf(user).first(3000 + key * 7 % 57000);
      static_cast<void>(store->Set(SliceOf(KeyOf(key)), SliceOf("v"), metadata));
      most = std::max(most, store->stats().bytes);
    }
    CHECK(most <= max);
    CHECK(store->stats().entries > max / 60000 / 2);
    for (uint64_t key = 0; key < 4000; key++) {
      const Version version = store->Find(SliceOf(KeyOf(key)), true).head().version;
      if (version == 0) continue;
      metadata.user = SliceOf(user).first(60000 - key * 13 % 57000);
      static_cast<void>(store->Revise(SliceOf(KeyOf(key)), version, metadata));
      most = std::max(most, store->stats().bytes);
    }
    CHECK(most <= max);
    // Flights and drafts of nothing yet.
    std::vector<MemoryStore::Claimed> flights;
    std::vector<std::shared_ptr<Draft>> drafts;
    for (uint64_t key = 0; key < 500; key++) {
      flights.push_back(store->Claim(SliceOf("f" + KeyOf(key)), 1));
      drafts.push_back(store->Begin(SliceOf("d" + KeyOf(key)), 10000, 1));
      most = std::max(most, store->stats().bytes);
    }
    CHECK(most <= max);
    store->AbortOwner(1);
    drafts.clear();
    // Many pieces.
    for (uint64_t key = 0; key < 3000; key++) {
      Put(*store, key, 2000 + key * 3 % 9000);
      most = std::max(most, store->stats().bytes);
    }
    CHECK(most <= max);
    CHECK(store->stats().pinned_bytes == 0);
  }
  for (const uint64_t max : {kMiB, 20 * kMiB}) {
    // Entries in their slots give way to values in pieces, each of which has a list of them.
    const auto store = MakeStore({.max_bytes = max}, clock);
    for (uint64_t key = 0; key < max / 200; key++) Put(*store, key, 300);
    uint64_t most = 0;
    for (uint64_t key = 0; key < max / 500; key++) {
      Put(*store, key, 2100 + key % 2100);
      most = std::max(most, store->stats().bytes);
    }
    CHECK(most <= max);
  }
}

TEST_CASE("hostile: over the bound because all was pinned, and within it with the next write") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 2 * kMiB, .policy = PolicyKind::kFifo}, clock);
  std::vector<EntryRef> open;
  for (uint64_t key = 0; key < 7; key++) {
    REQUIRE(Put(*store, key, 200000) == Stored::kDone);
    open.push_back(store->Find(SliceOf(KeyOf(key))));
  }
  for (uint64_t key = 100; key < 2000; key++) Put(*store, key, 300);
  // Flights cannot be refused.
  const std::string rest(20000, 'k');
  std::vector<MemoryStore::Claimed> flights;
  for (uint64_t key = 0; key < 50; key++) {
    flights.push_back(store->Claim(SliceOf(KeyOf(key) + rest), 1));
  }
  CHECK(store->stats().bytes > 2 * kMiB);
  // It would fit where the end of one of the values lies; but first what is owed.
  CHECK(Put(*store, 5000, 2010) == Stored::kNoRoom);
  open.clear();
  CHECK(store->stats().bytes > 2 * kMiB);
  CHECK(Put(*store, 5000, 2010) == Stored::kDone);
  CHECK(store->stats().bytes <= 2 * kMiB);
  CHECK(Has(*store, 5000));
  CHECK(Has(*store, 6));
  store->AbortOwner(1);
}

TEST_CASE("hostile: a reader of an expired entry does not keep others from expiring") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB, .policy = PolicyKind::kLru}, clock);
  for (uint64_t key = 0; key < 1000; key++) Put(*store, key, 1000);
  // The first and the last of those that expire, so that one of them is the first that is due.
  Put(*store, 9000, 100000, clock.now + 5);
  for (uint64_t key = 1000; key < 2400; key++) Put(*store, key, 1000, clock.now + 5);
  Put(*store, 9001, 100000, clock.now + 5);
  const EntryRef open = store->Find(SliceOf(KeyOf(9000)));
  const EntryRef other = store->Find(SliceOf(KeyOf(9001)));
  REQUIRE(open.pinned());
  REQUIRE(other.pinned());
  clock.now = clock.now + 10;
  for (uint64_t key = 3000; key < 4400; key++) Put(*store, key, 1000);
  CHECK(store->stats().evictions == 0);
  for (uint64_t key = 0; key < 1000; key++) REQUIRE(Has(*store, key));
  std::vector<uint8_t> value(100000);
  CHECK(open.Read(0, value) == value.size());
  CHECK(value == ValueOf(9000, 0, value.size()));
}

TEST_CASE("hostile: clears come faster than what they leave is tidied") {
  for (const uint64_t seed : {1, 2, 3}) {
    ManualClock clock;
    const auto store = MakeStore({.max_bytes = 8 * kMiB, .shards = 2}, clock);
    Random random(seed);
    std::vector<bool> set(3000);
    std::vector<EntryRef> open;
    for (int step = 0; step < 40000; step++) {
      const uint64_t key = random.Below(set.size());
      const uint64_t what = random.Below(1000);
      if (what < 600) {
        if (Put(*store, key, key % 30 == 0 ? 9000 : 300) == Stored::kDone) set[key] = true;
      } else if (what < 606) {
        // Also several in a row, so that what was cleared first is as old as can be.
        for (uint64_t times = 1 + random.Below(6); times > 0; times--) store->Clear();
        set.assign(set.size(), false);
      } else if (what < 609 && open.size() < 30) {
        open.push_back(store->Find(SliceOf(KeyOf(key / 30 * 30))));
      } else if (what == 609) {
        open.clear();
      } else if (Has(*store, key)) {
        REQUIRE(set[key]);
      } else {
        // There is room for all of them.
        REQUIRE(!set[key]);
      }
    }
    CHECK(store->stats().entries == static_cast<uint64_t>(std::ranges::count(set, true)));
  }
}

TEST_CASE("hostile: a draft that says it is large, and is not, holds what it has") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 64 * kMiB}, clock);
  const uint64_t before = store->stats().bytes;
  std::vector<std::shared_ptr<Draft>> drafts;
  for (uint64_t key = 0; key < 100; key++) {
    drafts.push_back(store->Begin(SliceOf(KeyOf(key)), 8 * kMiB, 1));
    REQUIRE(drafts.back()->Append(SliceOf("a few bytes")) == Draft::Outcome::kDone);
  }
  CHECK(store->stats().bytes - before < 100 * (store->page_bytes() + 4096));
  for (const auto& draft : drafts) CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kDone);
  drafts.clear();
  for (int call = 0; call < 3; call++) store->Maintain();
  CHECK(store->stats().bytes - before < kMiB);
  CHECK(store->stats().entries == 100);
}

TEST_CASE(
    "hostile: what a draft lent stays, though its end was moved and all else was overwritten") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 2 * kMiB, .policy = PolicyKind::kFifo}, clock);
  for (const uint64_t size : {uint64_t{5000}, uint64_t{17000}, uint64_t{40100}}) {
    for (const uint64_t declared : {Draft::kUnknown, 200000 + size}) {
      const auto value = ValueOf(1, size, size);
      auto draft = store->Begin(SliceOf("k"), declared, 1);
      REQUIRE(draft->Append(value) == Draft::Outcome::kDone);
      const Slice first = draft->View(0);
      const Slice last = draft->View(size - 50);
      REQUIRE(draft->Commit(At(1e12)) == Draft::Outcome::kDone);
      const EntryRef ref = store->Find(SliceOf("k"));
      const Slice moved = ref.View(size - 50);
      // The case that is meant: what was lent is no part of the value any more.
      CHECK(moved.data() != last.data());
      store->Delete(SliceOf("k"));
      for (uint64_t key = 0; key < 8000; key++) Put(*store, key, 50 + key * 11 % 30000);
      CHECK(std::memcmp(first.data(), value.data(), first.size()) == 0);
      CHECK(std::memcmp(last.data(), value.data() + size - 50, last.size()) == 0);
      CHECK(std::memcmp(moved.data(), value.data() + size - 50, moved.size()) == 0);
    }
  }
  CHECK(store->stats().pinned_bytes == 0);
}

TEST_CASE("hostile: many small stores") {
  ManualClock clock;
  FaultyMemory memory;
  memory.physical = uint64_t{64} << 30;
  {
    std::vector<std::shared_ptr<MemoryStore>> stores;
    for (uint64_t at = 0; at < 100; at++) {
      stores.push_back(MakeStore({.max_bytes = kMiB, .system = &memory}, clock));
      REQUIRE(stores.back() != nullptr);
    }
    for (const auto& store : stores) {
      for (uint64_t key = 0; key < 1500; key++) Put(*store, key, key % 100 == 0 ? 40000 : 1000);
      CHECK(store->stats().bytes <= kMiB);
      CHECK(store->stats().entries > 400);
    }
    CHECK(memory.committed <= 100 * kMiB);
  }
  CHECK(memory.reservations == 0);
}

TEST_CASE("hostile: who reads a draft while it is committed sees no gap") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 8 * kMiB}, clock);
  const auto value = ValueOf(1, 1, 100001);
  for (int round = 0; round < 300; round++) {
    const auto draft = store->Begin(SliceOf("k"), round % 2 == 0 ? 300000 : Draft::kUnknown, 1);
    REQUIRE(draft->Append(value) == Draft::Outcome::kDone);
    std::atomic<bool> reading = false;
    std::atomic<bool> committed = false;
    std::atomic<uint64_t> wrong = 0;
    std::thread reader([&] {
      bool last = false;
      for (uint64_t at = 90000;; at = at + 997 < value.size() ? at + 997 : 90000) {
        const Slice view = draft->View(at);
        reading = true;
        if (view.empty() || view.size() > value.size() - at ||
            std::memcmp(view.data(), value.data() + at, view.size()) != 0) {
          wrong += 1;
        }
        if (last) break;
        last = committed;
      }
    });
    while (!reading) std::this_thread::yield();
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kDone);
    committed = true;
    reader.join();
    REQUIRE(wrong == 0);
  }
}

#ifdef __linux__
TEST_CASE("hostile: pages given back one by one do not cut the range into mappings") {
  const auto mappings = [] {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    int count = 0;
    while (std::getline(maps, line)) count += 1;
    return count;
  };
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 64 * kMiB, .policy = PolicyKind::kLru}, clock);
  for (uint64_t key = 0; key < 900; key++) Put(*store, key, 60000 - key % 100);
  const int before = mappings();
  for (uint64_t key = 0; key < 900; key += 2) store->Delete(SliceOf(KeyOf(key)));
  REQUIRE(store->Configure(32 * kMiB, 0, PolicyKind::kLru).ok());
  CHECK(store->stats().bytes <= 32 * kMiB);
  CHECK(mappings() < before + 50);
}
#endif
