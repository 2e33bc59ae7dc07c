// A host that decides who goes, instead of the policy.

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "memory_own_values.h"

using namespace drey;
using namespace drey::test;

namespace {

std::string TextOf(const std::vector<uint8_t>& key) { return {key.begin(), key.end()}; }

std::shared_ptr<MemoryStore> Hosted(uint64_t max_bytes, ManualClock& clock, uint32_t shards = 1) {
  const auto store = MakeStore({.max_bytes = max_bytes,
                                .max_item_bytes = max_bytes,
                                .policy = PolicyKind::kFifo,
                                .shards = shards},
                               clock);
  store->Listen(true);
  CHECK(store->Host().empty());
  return store;
}

}  // namespace

TEST_CASE("memory host: without its word nothing is evicted, and with it what it names") {
  ManualClock clock;
  for (const uint64_t size : {uint64_t{100}, uint64_t{3000}, uint64_t{70000}, uint64_t{200000}}) {
    const auto store = Hosted(4 * kMiB, clock);
    uint64_t count = 0;
    while (Put(*store, count, size) == Stored::kDone) count += 1;
    REQUIRE(count > 10);
    CHECK(store->stats().entries == count);
    CHECK(store->stats().evictions == 0);
    // The last that came, which the core would take last.
    CHECK(store->Evict(SliceOf(KeyOf(count - 1))));
    CHECK(!store->Evict(SliceOf(KeyOf(count - 1))));
    CHECK(Put(*store, count, size) == Stored::kDone);
    CHECK(Put(*store, count + 1, size) == Stored::kNoRoom);
    for (uint64_t key = 0; key < count + 2; key++) {
      CHECK(Has(*store, key) == (key != count - 1 && key != count + 1));
    }
    CHECK(store->stats().evictions == 1);
    CHECK(store->stats().bytes <= 4 * kMiB);
    CHECK(store->TakeEvicted().empty());
  }
}

TEST_CASE("memory host: what expired leaves by itself, and is told as that, all of it") {
  ManualClock clock;
  const auto store = Hosted(kMiB, clock);
  // Longer keys than may wait to be told at once.
  const std::string stem(1000, 'k');
  std::set<std::string> there;
  for (int at = 0;; at++) {
    const std::string key = stem + std::to_string(at);
    Metadata metadata = At(1e12);
    metadata.fresh_until = metadata.stale_if_error_until = clock.now + 10;
    if (store->Set(SliceOf(key), {}, metadata) != Stored::kDone) break;
    there.insert(key);
  }
  REQUIRE(there.size() > 300);
  clock.now = clock.now + 10;
  int attempts = 0;
  for (; Put(*store, 1, 900000) != Stored::kDone; attempts++) {
    REQUIRE(attempts < 1000);
    const auto left = store->TakeEvicted();
    REQUIRE(!left.empty());
    for (const auto& [key, expired] : left) {
      CHECK(expired);
      CHECK(there.erase(TextOf(key)) == 1);
    }
  }
  CHECK(attempts > 2);
  for (const auto& [key, expired] : store->TakeEvicted()) CHECK(there.erase(TextOf(key)) == 1);
  CHECK(store->stats().entries == there.size() + 1);
  CHECK(store->stats().evictions == 0);
  CHECK(store->stats().evictions_untold == 0);
}

TEST_CASE("memory host: what is being read cannot be evicted") {
  ManualClock clock;
  const auto store = Hosted(4 * kMiB, clock);
  REQUIRE(Put(*store, 1, 100000) == Stored::kDone);
  {
    const EntryRef reading = store->Find(SliceOf(KeyOf(1)));
    CHECK(!store->Evictable(SliceOf(KeyOf(1))));
    CHECK(!store->Evict(SliceOf(KeyOf(1))));
  }
  CHECK(store->Evictable(SliceOf(KeyOf(1))));
  CHECK(!store->Evictable(SliceOf(KeyOf(2))));
  CHECK(store->Weight(SliceOf(KeyOf(1))) > 100000);
  CHECK(store->Weight(SliceOf(KeyOf(2))) == 0);
}

TEST_CASE("memory host: a draft that finds no room goes on where it was") {
  ManualClock clock;
  const auto store = Hosted(4 * kMiB, clock);
  uint64_t count = 0;
  while (Put(*store, count, 20000) == Stored::kDone) count += 1;
  const uint64_t refusals = store->stats().refusals;
  const auto draft = store->Begin(SliceOf("large"), Draft::kUnknown, 1);
  REQUIRE(draft != nullptr);
  const auto value = ValueOf(7, 7, 1000000);
  uint64_t evicted = 0;
  for (uint64_t at = 0; at < value.size(); at += 250000) {
    const auto piece = Slice(value).subspan(at, 250000);
    while (draft->Append(piece, true) == Draft::Outcome::kNoRoom) {
      REQUIRE(store->Evict(SliceOf(KeyOf(evicted++))));
    }
    CHECK(draft->size() == at + 250000);
  }
  CHECK(draft->Append(ValueOf(8, 8, 3000000), true) == Draft::Outcome::kNoRoom);
  CHECK(store->stats().refusals == refusals);
  CHECK(draft->Append(ValueOf(8, 8, 3900000)) == Draft::Outcome::kTooLarge);
  CHECK(draft->Append(ValueOf(8, 8, 3000000)) == Draft::Outcome::kNoRoom);
  CHECK(store->stats().refusals == refusals + 2);
  // A commit may want room, too.
  while (Put(*store, count, 1000) == Stored::kDone) count += 1;
  Metadata metadata = At(1e12);
  const std::string user(60000, 'u');
  metadata.has_user = true;
  metadata.user = SliceOf(user);
  Draft::Outcome outcome = draft->Commit(metadata, true);
  CHECK(outcome == Draft::Outcome::kNoRoom);
  while ((outcome = draft->Commit(metadata, true)) == Draft::Outcome::kNoRoom) {
    REQUIRE(store->Evict(SliceOf(KeyOf(evicted++))));
  }
  CHECK(outcome == Draft::Outcome::kDone);
  const EntryRef ref = store->Find(SliceOf("large"));
  std::vector<uint8_t> read(value.size());
  CHECK(ref.Read(0, read) == value.size());
  CHECK(read == value);
  CHECK(store->stats().bytes <= 4 * kMiB);
  CHECK(store->stats().evictions == evicted);
}

TEST_CASE(
    "memory host: begins with what is there, coldest first, and ends in an order of its own") {
  ManualClock clock;
  for (const uint32_t shards : {1, 4}) {
    const auto store =
        MakeStore({.max_bytes = 4 * kMiB, .policy = PolicyKind::kLru, .shards = shards}, clock);
    store->Listen(true);
    for (uint64_t key = 0; key < 100; key++) Put(*store, key, 1000);
    store->Find(SliceOf(KeyOf(3)));
    const auto entries = store->Host();
    REQUIRE(entries.size() == 100);
    std::map<std::string, uint64_t> weights;
    for (const auto& [key, weight] : entries) weights[TextOf(key)] = weight;
    for (uint64_t key = 0; key < 100; key++) {
      CHECK(weights[KeyOf(key)] == store->Weight(SliceOf(KeyOf(key))));
    }
    if (shards == 1) {
      CHECK(TextOf(entries[0].key) == KeyOf(0));
      CHECK(TextOf(entries[3].key) == KeyOf(4));
      CHECK(TextOf(entries[99].key) == KeyOf(3));
    }
    // Those of even numbers first, from above.
    for (const uint64_t odd : {0, 1}) {
      for (uint64_t key = 100; key-- > 0;) {
        if (key % 2 == odd) store->Renew(SliceOf(KeyOf(key)));
      }
    }
    store->Unhost();
    CHECK(store->Configure(4 * kMiB, 0, PolicyKind::kLru).ok());
    for (uint64_t key = 1000; store->stats().evictions < 20; key++) Put(*store, key, 1000);
    const auto left = store->TakeEvicted();
    REQUIRE(left.size() == 20);
    for (uint64_t at = 0; at < 20 && shards == 1; at++) {
      CHECK(TextOf(left[at].key) == KeyOf(98 - 2 * at));
      CHECK(!left[at].expired);
    }
  }
}

TEST_CASE("memory host: what it keeps is within the bound, and given back") {
  ManualClock clock;
  const auto plain =
      MakeStore({.max_bytes = 4 * kMiB, .policy = PolicyKind::kFifo, .shards = 1}, clock);
  uint64_t count = 0;
  for (; plain->stats().evictions == 0; count++) Put(*plain, count, 0);
  const auto before = plain->stats();
  plain->Listen(true);
  const auto entries = plain->Host();
  // Those that the policy evicted for what the host keeps.
  CHECK(entries.size() == plain->stats().entries);
  CHECK(entries.size() + plain->stats().evictions == before.entries + before.evictions);
  CHECK(entries.size() < before.entries / 2);
  CHECK(plain->stats().bytes <= 4 * kMiB);
  CHECK(Put(*plain, count, 0) == Stored::kNoRoom);
  const uint64_t held = plain->stats().bytes;
  plain->Unhost();
  CHECK(plain->stats().bytes + entries.size() * Shard::kHostBytes < held);
  CHECK(Put(*plain, count, 0) == Stored::kDone);
}

TEST_CASE("memory host: a smaller bound, which it makes room for, or the core") {
  ManualClock clock;
  const auto store = Hosted(4 * kMiB, clock);
  uint64_t count = 0;
  while (Put(*store, count, 1000) == Stored::kDone) count += 1;
  CHECK(store->Beyond(4 * kMiB) == 0);
  uint64_t next = count;
  for (; store->Beyond(2 * kMiB) > 0; next--) REQUIRE(store->Evict(SliceOf(KeyOf(next - 1))));
  CHECK(store->TakeEvicted().empty());
  CHECK(store->Configure(2 * kMiB, 0, PolicyKind::kFifo).ok());
  CHECK(store->TakeEvicted().empty());
  CHECK(store->stats().bytes <= 2 * kMiB);
  CHECK(Has(*store, 0));
  // Unprepared: those go that came first, and are told.
  CHECK(store->Configure(kMiB, 0, PolicyKind::kFifo).ok());
  CHECK(store->stats().bytes <= kMiB);
  const auto left = store->TakeEvicted();
  REQUIRE(!left.empty());
  CHECK(TextOf(left[0].key) == KeyOf(0));
  CHECK(left.size() + store->stats().entries == next);
}

TEST_CASE("memory host: against a map, nothing leaves that was not told or named") {
  for (const uint64_t seed : {1, 2, 3}) {
    ManualClock clock;
    const uint64_t max = 2 * kMiB;
    const auto store = Hosted(max, clock, seed == 3 ? 4 : 1);
    Random random(seed);
    std::map<std::string, uint64_t> model;
    for (int step = 0; step < 6000; step++) {
      const uint64_t key = random.Below(600);
      const std::string name = KeyOf(key);
      const uint64_t what = random.Below(100);
      if (what < 60) {
        const uint64_t size = random.Below(random.Below(10) == 0 ? 150000 : 4000);
        const double until = random.Below(4) == 0 ? clock.now + 50 : kNever;
        Stored stored = Stored::kNoRoom;
        while ((stored = Put(*store, key, size, until)) == Stored::kNoRoom) {
          const auto left = store->TakeEvicted();
          for (const auto& one : left) {
            REQUIRE(one.expired);
            REQUIRE(model.erase(TextOf(one.key)) == 1);
          }
          if (!left.empty()) continue;
          REQUIRE(!model.empty());
          auto victim = model.lower_bound(KeyOf(random.Below(600)));
          if (victim == model.end()) victim = model.begin();
          REQUIRE(store->Evict(SliceOf(victim->first)));
          model.erase(victim);
        }
        for (const auto& one : store->TakeEvicted()) model.erase(TextOf(one.key));
        REQUIRE(stored == Stored::kDone);
        model[name] = size;
      } else if (what < 70) {
        CHECK(store->Delete(SliceOf(name)) == (model.erase(name) == 1));
      } else if (what == 70 && random.Below(20) == 0) {
        store->Clear();
        model.clear();
      } else if (what < 75) {
        clock.now = clock.now + 10;
      } else if (what == 75) {
        store->Maintain();
      } else {
        const EntryRef ref = store->Find(SliceOf(name));
        REQUIRE(ref.found() == model.contains(name));
        if (ref.found()) REQUIRE(ref.head().size == model[name]);
      }
      REQUIRE(store->stats().bytes <= max);
      REQUIRE(store->stats().entries == model.size());
    }
    store->Clear();
    store->Unhost();
    for (int call = 0; call < 10; call++) store->Maintain();
    CHECK(store->stats().bytes < kMiB);
  }
}
