// What changes while a memory store runs: time, bound, policy, and what the system gives.

#include <doctest/doctest.h>

#include <thread>

#include "memory_own_values.h"
#include "memory_store/registry.h"

using namespace drey;
using namespace drey::test;

namespace {

uint64_t Count(MemoryStore& store, uint64_t from, uint64_t to) {
  uint64_t count = 0;
  for (uint64_t key = from; key < to; key++) count += Has(store, key) ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("memory store: expired entries go before a live one is evicted") {
  for (const uint64_t lifetime : {1, 63, 64, 5000, 300000, 86400000}) {
    ManualClock clock;
    const auto store = MakeStore({.max_bytes = 4 * kMiB, .policy = PolicyKind::kLru}, clock);
    for (uint64_t key = 0; key < 1000; key++) Put(*store, key, 1000);
    // Newer than the live ones, so the policy alone would keep them.
    for (uint64_t key = 1000; key < 3000; key++) {
      Put(*store, key, 1000, clock.now + static_cast<double>(lifetime));
    }
    REQUIRE(store->stats().evictions == 0);
    clock.now = clock.now + static_cast<double>(lifetime);
    for (uint64_t key = 3000; key < 4900; key++) Put(*store, key, 1000);
    CHECK(store->stats().evictions == 0);
    CHECK(store->stats().expirations > 0);
    CHECK(Count(*store, 0, 1000) == 1000);
    CHECK(Count(*store, 3000, 4900) == 1900);
  }
}

TEST_CASE("memory store: the bound goes down and up, and what fits stays") {
  ManualClock clock;
  FaultyMemory memory;
  {
    const auto store = MakeStore({.max_bytes = 64 * kMiB,
                                  .policy = PolicyKind::kLru,
                                  .ceiling = 128 * kMiB,
                                  .system = &memory},
                                 clock);
    for (uint64_t key = 0; key < 40000; key++) Put(*store, key, 1000);
    const uint64_t before = store->stats().entries;
    REQUIRE(before == 40000);
    CHECK(store->Configure(60 * kMiB, 0, PolicyKind::kSieve).ok());
    CHECK(store->stats().entries == before);
    CHECK(store->Configure(16 * kMiB, 0, PolicyKind::kS3Fifo).ok());
    CHECK(store->stats().bytes <= 16 * kMiB);
    CHECK(memory.committed <= 17 * kMiB);
    CHECK(store->stats().entries > 13000);
    CHECK(Count(*store, 0, 40000) == store->stats().entries);
    CHECK(store->Configure(100 * kMiB, 0, PolicyKind::kLru).ok());
    for (uint64_t key = 0; key < 80000; key++) Put(*store, key, 1000);
    CHECK(store->stats().entries == 80000);
    CHECK(!store->Configure(200 * kMiB, 0, PolicyKind::kLru).ok());
    CHECK(!store->Configure(1, 0, PolicyKind::kLru).ok());
    CHECK(store->stats().max_bytes == 100 * kMiB);
  }
  CHECK(memory.reservations == 0);
}

TEST_CASE("memory store: a clear is at once, and its memory comes back") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 16 * kMiB}, clock);
  for (int round = 0; round < 9; round++) {
    for (uint64_t key = 0; key < 5000; key++) Put(*store, key, key % 50 == 0 ? 30000 : 300);
    store->Clear();
    CHECK(store->stats().entries == 0);
    CHECK(Count(*store, 0, 5000) == 0);
    // Keys that are set anew before their cleared entries are gone.
    if (round % 2 == 0) Put(*store, 7, 500);
    CHECK(Count(*store, 0, 5000) == (round % 2 == 0 ? 1 : 0));
    store->Clear();
  }
  for (int call = 0; call < 10; call++) store->Maintain();
  CHECK(store->stats().bytes < kMiB);
  CHECK(store->stats().evictions == 0);
}

TEST_CASE("memory store: what the system refuses becomes the bound") {
  ManualClock clock;
  FaultyMemory memory;
  {
    const auto store = MakeStore({.max_bytes = 32 * kMiB, .system = &memory}, clock);
    REQUIRE(store != nullptr);
    memory.most_committed = 8 * kMiB;
    for (uint64_t key = 0; key < 30000; key++) Put(*store, key, key % 100 == 0 ? 50000 : 1000);
    const MemoryStore::Stats stats = store->stats();
    CHECK(stats.memory_refusals > 0);
    CHECK(stats.max_bytes <= 8 * kMiB + 65536);
    CHECK(stats.entries > 3000);
    CHECK(Count(*store, 29000, 30000) > 0);
  }
  CHECK(memory.reservations == 0);
  FaultyMemory none;
  none.most_reserved = kMiB;
  CHECK(MakeStore({.max_bytes = 32 * kMiB, .system = &none}, clock) == nullptr);
  CHECK(none.reservations == 0);
}

TEST_CASE("memory store: pins are bounded by what it says") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 8 * kMiB, .policy = PolicyKind::kLru}, clock);
  std::vector<EntryRef> open;
  for (uint64_t key = 0; key < 12; key++) {
    REQUIRE(Put(*store, key, 500000) == MemoryStore::Stored::kDone);
    open.push_back(store->Find(SliceOf(KeyOf(key))));
    CHECK(open.back().must_copy() == (key >= 4));
    CHECK(open.back().pinned());
  }
  CHECK(store->stats().pinned_bytes > 12 * 500000);
  // What is open is not evicted for others, and stays what it was when it is deleted or
  // overwritten.
  for (uint64_t key = 100; key < 3000; key++) Put(*store, key, 1000);
  CHECK(store->Delete(SliceOf(KeyOf(3))));
  store->Clear();
  for (uint64_t key = 3000; key < 6000; key++) Put(*store, key, 1000);
  for (uint64_t key = 0; key < 12; key++) {
    std::vector<uint8_t> value(500000);
    CHECK(open[key].Read(0, value) == value.size());
    CHECK(value == ValueOf(key, 0, value.size()));
  }
  open.clear();
  CHECK(store->stats().pinned_bytes == 0);
}

TEST_CASE("memory store: what is lent stays where it is while pages are emptied around it") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 8 * kMiB, .policy = PolicyKind::kLru}, clock);
  std::vector<EntryRef> open;
  std::vector<std::pair<uint64_t, Slice>> lent;
  for (uint64_t key = 0; key < 3000; key++) {
    Put(*store, key, 2100 + key % 3000);
    if (key % 40 != 0) continue;
    open.push_back(store->Find(SliceOf(KeyOf(key))));
    if (open.back().pinned()) lent.emplace_back(key, open.back().View(0));
  }
  REQUIRE(lent.size() > 10);
  for (uint64_t key = 10000; key < 60000; key++) Put(*store, key, key % 7 == 0 ? 20000 : 300);
  CHECK(store->stats().moved_slots > 1000);
  for (const auto& [key, view] : lent) {
    const auto value = ValueOf(key, 0, 2100 + key % 3000);
    CHECK(std::memcmp(view.data(), value.data(), view.size()) == 0);
  }
}

TEST_CASE("memory store: drafts") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 8 * kMiB, .max_item_bytes = 2 * kMiB}, clock);
  const std::string key = "draft";
  for (const uint64_t size : {0, 10, 3000, 4096, 60000, 65536, 100001, 700000}) {
    for (const uint64_t step : {uint64_t{1000}, uint64_t{70000}}) {
      for (const bool told : {true, false}) {
        const auto value = ValueOf(size, step, size);
        auto draft = store->Begin(SliceOf(key), told ? size : Draft::kUnknown, 1);
        REQUIRE(draft != nullptr);
        std::vector<Slice> lent;
        for (uint64_t at = 0; at < size; at += step) {
          REQUIRE(draft->Append(Slice(value).subspan(at, std::min(step, size - at))) ==
                  Draft::Outcome::kDone);
          lent.push_back(draft->View(at));
        }
        CHECK(!store->Find(SliceOf(key)).found());
        REQUIRE(draft->Commit(At(1e12)) == Draft::Outcome::kDone);
        CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kEnded);
        const EntryRef ref = store->Find(SliceOf(key));
        REQUIRE(ref.found());
        std::vector<uint8_t> got(size);
        CHECK(ref.Read(0, got) == size);
        CHECK(got == value);
        CHECK(store->Delete(SliceOf(key)));
        // What was lent while it grew is as it was.
        for (uint64_t at = 0; at < lent.size(); at++) {
          CHECK(std::memcmp(lent[at].data(), value.data() + at * step, lent[at].size()) == 0);
        }
        std::vector<uint8_t> again(size);
        CHECK(draft->Read(0, again) == size);
        CHECK(again == value);
      }
    }
  }
  CHECK(store->stats().pinned_bytes == 0);
  SUBCASE("too large is refused whole, and the draft stays") {
    const auto draft = store->Begin(SliceOf(key), Draft::kUnknown, 1);
    const auto value = ValueOf(1, 1, kMiB);
    CHECK(draft->Append(value) == Draft::Outcome::kDone);
    CHECK(draft->Append(ValueOf(1, 1, 2 * kMiB)) == Draft::Outcome::kTooLarge);
    CHECK(draft->size() == kMiB);
    CHECK(store->Begin(SliceOf(key), 3 * kMiB, 1) == nullptr);
  }
  SUBCASE("no room is refused whole, and aborting gives it back") {
    std::vector<std::shared_ptr<Draft>> drafts;
    Draft::Outcome outcome = Draft::Outcome::kDone;
    for (int at = 0; outcome == Draft::Outcome::kDone && at < 100; at++) {
      drafts.push_back(store->Begin(SliceOf(KeyOf(static_cast<uint64_t>(at))), Draft::kUnknown, 1));
      outcome = drafts.back()->Append(ValueOf(1, 1, 300000));
    }
    CHECK(outcome == Draft::Outcome::kNoRoom);
    CHECK(drafts.back()->size() == 0);
    CHECK(store->stats().bytes <= 8 * kMiB);
    drafts.clear();
    CHECK(store->stats().pinned_bytes == 0);
    CHECK(Put(*store, 1, 1000000) == MemoryStore::Stored::kDone);
  }
  SUBCASE("fenced by a delete, and by nothing else") {
    const auto first = store->Begin(SliceOf(key), 10, 1);
    const auto second = store->Begin(SliceOf(key), 10, 1);
    CHECK(second->Commit(At(1e12)) == Draft::Outcome::kDone);
    CHECK(first->Commit(At(1e12)) == Draft::Outcome::kDone);
    const auto third = store->Begin(SliceOf(key), 10, 1);
    store->Delete(SliceOf(key));
    CHECK(third->Commit(At(1e12)) == Draft::Outcome::kFenced);
    CHECK(!store->Find(SliceOf(key)).found());
    const auto fourth = store->Begin(SliceOf(key), 10, 1);
    store->Clear();
    CHECK(fourth->Commit(At(1e12)) == Draft::Outcome::kFenced);
    const auto orphan = store->Begin(SliceOf(key), 10, 9);
    store->AbortOwner(9);
    CHECK(orphan->Append(SliceOf("x")) == Draft::Outcome::kEnded);
  }
}

TEST_CASE("memory store: one flight for a key, and what ends it") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 8 * kMiB}, clock);
  using Kind = MemoryStore::Claimed::Kind;
  const std::string key = "flight";
  auto lead = store->Claim(SliceOf(key), 1);
  REQUIRE(lead.kind == Kind::kLead);
  auto join = store->Claim(SliceOf(key), 2);
  REQUIRE(join.kind == Kind::kJoin);
  CHECK(join.flight == lead.flight);
  CHECK(lead.flight->joined() == 1);
  SUBCASE("committed") {
    auto draft = store->BeginFor(lead.flight, Draft::kUnknown);
    lead.flight->Grow(draft, nullptr);
    CHECK(draft->Append(SliceOf("hello")) == Draft::Outcome::kDone);
    CHECK(join.flight->Look().draft->size() == 5);
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kDone);
    CHECK(join.flight->Look().state == Flight::State::kCommitted);
    CHECK(store->Claim(SliceOf(key), 2).kind == Kind::kLook);
    const Version seen = store->Find(SliceOf(key)).head().version;
    CHECK(store->Claim(SliceOf(key), 2, seen).kind == Kind::kLead);
  }
  SUBCASE("fenced: who asks after a write is not answered by what began before") {
    store->Set(SliceOf(key), SliceOf("new"), At(1e12));
    store->Delete(SliceOf(key));
    CHECK(store->Claim(SliceOf(key), 2).kind == Kind::kLead);
    auto draft = store->BeginFor(lead.flight, Draft::kUnknown);
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kFenced);
    CHECK(store->Set(SliceOf(key), SliceOf("old"), At(1e12), lead.flight.get()) ==
          MemoryStore::Stored::kFenced);
    CHECK(!store->Find(SliceOf(key)).found());
  }
  SUBCASE("what has left the table can commit nothing: nobody could fence it") {
    store->AbortOwner(1);
    auto draft = store->BeginFor(lead.flight, Draft::kUnknown);
    CHECK(draft->Append(SliceOf("late")) == Draft::Outcome::kDone);
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kFenced);
    CHECK(store->Set(SliceOf(key), SliceOf("late"), At(1e12), lead.flight.get()) ==
          MemoryStore::Stored::kFenced);
    CHECK(!store->Find(SliceOf(key)).found());
  }
  SUBCASE("its owner died") {
    auto draft = store->BeginFor(lead.flight, Draft::kUnknown);
    lead.flight->Grow(draft, nullptr);
    store->AbortOwner(1);
    CHECK(join.flight->Look().state == Flight::State::kOwnerGone);
    CHECK(draft->Append(SliceOf("x")) == Draft::Outcome::kEnded);
    CHECK(store->Claim(SliceOf(key), 2).kind == Kind::kLead);
  }
  store->AbortOwner(1);
  store->AbortOwner(2);
}

TEST_CASE("registry: one store for a name, while somebody holds it") {
  StoreRegistry registry;
  ManualClock clock;
  MemoryStoreOptions options{.max_bytes = 2 * kMiB, .clock = clock.clock()};
  auto first = registry.Attach("main", options);
  REQUIRE(first.ok());
  CHECK(registry.Attach("main", options).value() == first.value());
  CHECK(registry.Attach("other", options).value() != first.value());
  CHECK(registry.size() == 1);
  MemoryStoreOptions different = options;
  different.max_bytes = 3 * kMiB;
  CHECK(std::string(registry.Attach("main", different).status().message()).find("maxBytes") == 0);
  different = options;
  different.policy = PolicyKind::kLfu;
  CHECK(
      std::string(registry.Attach("main", different).status().message()).find("policy: got lfu") ==
      0);
  first = Status::InvalidArgument("let go");
  CHECK(registry.size() == 0);
  CHECK(registry.Attach("main", different).ok());
}
