// What binds a store's threads together: flights alone and shared, what ends them, and who hears of
// evictions.

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "memory_fixture.h"
#include "memory_store/registry.h"

using namespace drey;
using namespace drey::test;

namespace {

using Kind = MemoryStore::Claimed::Kind;
using State = Flight::State;

Flight::Note NoteOf(const std::string& text) {
  return std::make_shared<const std::vector<uint8_t>>(text.begin(), text.end());
}

std::string TextOf(const Flight::Note& note) {
  return note == nullptr ? "" : std::string(note->begin(), note->end());
}

Version VersionOf(MemoryStore& store, const std::string& key) {
  return store.Find(SliceOf(key), true).head().version;
}

}  // namespace

TEST_CASE("flight: alone it always leads, is joined by nobody, and is fenced as any") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB}, clock);
  const std::string key = "k";
  SUBCASE("beside one that is shared") {
    const auto shared = store->Claim(SliceOf(key), 1);
    const auto alone = store->Claim(SliceOf(key), 2, 0, true);
    REQUIRE(alone.kind == Kind::kLead);
    CHECK(alone.flight != shared.flight);
    const auto join = store->Claim(SliceOf(key), 3);
    CHECK(join.kind == Kind::kJoin);
    CHECK(join.flight == shared.flight);
    CHECK(alone.flight->joined() == 0);
  }
  SUBCASE("before one that is shared: who comes next leads one of its own") {
    const auto alone = store->Claim(SliceOf(key), 2, 0, true);
    const auto lead = store->Claim(SliceOf(key), 1);
    CHECK(lead.kind == Kind::kLead);
    CHECK(lead.flight != alone.flight);
  }
  SUBCASE("an entry that it has not seen does not stop it") {
    store->Set(SliceOf(key), SliceOf("v"), At(1e12));
    CHECK(store->Claim(SliceOf(key), 1).kind == Kind::kLook);
    CHECK(store->Claim(SliceOf(key), 1, 0, true).kind == Kind::kLead);
  }
  SUBCASE("it may commit, and a write, a delete and a clear fence it") {
    const auto alone = store->Claim(SliceOf(key), 2, 0, true);
    CHECK(store->Set(SliceOf(key), SliceOf("v"), At(1e12), alone.flight.get()) == Stored::kDone);
    for (int how = 0; how < 3; how++) {
      const auto fenced = store->Claim(SliceOf(key), 2, 0, true);
      if (how == 0) store->Set(SliceOf(key), SliceOf("w"), At(1e12));
      if (how == 1) store->Delete(SliceOf(key));
      if (how == 2) store->Clear();
      CHECK(store->Set(SliceOf(key), SliceOf("x"), At(1e12), fenced.flight.get()) ==
            Stored::kFenced);
      const auto draft = store->BeginFor(fenced.flight, 1);
      CHECK(draft->Append(SliceOf("y")) == Draft::Outcome::kDone);
      CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kFenced);
    }
    CHECK(!store->Find(SliceOf(key)).found());
  }
  SUBCASE("what is discarded fences nothing") {
    CHECK(store->Set(SliceOf(key), SliceOf("v"), At(1e12)) == Stored::kDone);
    const auto alone = store->Claim(SliceOf(key), 2, 0, true);
    CHECK(store->Discard(SliceOf(key)));
    CHECK(!store->Discard(SliceOf(key)));
    CHECK(!store->Find(SliceOf(key)).found());
    CHECK(store->Set(SliceOf(key), SliceOf("w"), At(1e12), alone.flight.get()) == Stored::kDone);
    CHECK(store->Find(SliceOf(key)).found());
  }
  SUBCASE("of two fills that run at once, the older does not commit over the newer") {
    const auto older = store->Claim(SliceOf(key), 1);
    const auto newer = store->Claim(SliceOf(key), 2, 0, true);
    SUBCASE("the newer first") {
      CHECK(store->Set(SliceOf(key), SliceOf("new"), At(1e12), newer.flight.get()) ==
            Stored::kDone);
      CHECK(store->Set(SliceOf(key), SliceOf("old"), At(1e12), older.flight.get()) ==
            Stored::kFenced);
    }
    SUBCASE("the older first") {
      CHECK(store->Set(SliceOf(key), SliceOf("old"), At(1e12), older.flight.get()) ==
            Stored::kDone);
      CHECK(store->Set(SliceOf(key), SliceOf("new"), At(1e12), newer.flight.get()) ==
            Stored::kDone);
    }
    CHECK(store->Find(SliceOf(key)).head().size == 3);
    CHECK(std::ranges::equal(store->Find(SliceOf(key)).View(0), SliceOf("new")));
  }
  for (Owner owner = 1; owner < 4; owner++) store->AbortOwner(owner);
}

TEST_CASE("flight: one call of Set or Revise ends it when it succeeds, and only then") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB}, clock);
  const std::string key = "k";
  std::atomic<int> woken = 0;
  const auto mailbox = std::make_shared<Mailbox>(
      [](void* context) { *static_cast<std::atomic<int>*>(context) += 1; }, &woken);
  const auto events = [&] {
    std::vector<Mailbox::Letter> letters;
    mailbox->Drain(letters);
    return letters.empty() ? 0U : letters[0].events;
  };
  // In its slot, and in pieces.
  for (const uint64_t size : {uint64_t{10}, uint64_t{100000}}) {
    store->Delete(SliceOf(key));
    const auto value = ValueOf(1, 1, size);
    auto lead = store->Claim(SliceOf(key), 1);
    auto join = store->Claim(SliceOf(key), 2);
    CHECK(join.flight->Follow(mailbox, 7).state == State::kAsking);
    const auto too_large = ValueOf(1, 1, kMiB);
    CHECK(store->Set(SliceOf(key), too_large, At(1e12), lead.flight.get()) == Stored::kTooLarge);
    CHECK(lead.flight->Look().state == State::kAsking);
    CHECK(events() == 0);
    CHECK(store->Set(SliceOf(key), value, At(1e12), lead.flight.get()) == Stored::kDone);
    CHECK(lead.flight->Look().state == State::kCommitted);
    CHECK(events() == Mailbox::kEnded);
    lead.flight->End(State::kFailed, nullptr);
    CHECK(lead.flight->Look().state == State::kCommitted);

    const Version seen = VersionOf(*store, key);
    lead = store->Claim(SliceOf(key), 1, seen);
    REQUIRE(lead.kind == Kind::kLead);
    join = store->Claim(SliceOf(key), 2, seen);
    CHECK(join.flight->Follow(mailbox, 8).state == State::kAsking);
    CHECK(store->Revise(SliceOf(key), seen + 1, At(2e12), lead.flight.get()) == Stored::kGone);
    CHECK(lead.flight->Look().state == State::kAsking);
    CHECK(store->Revise(SliceOf(key), seen, At(2e12), lead.flight.get()) == Stored::kDone);
    CHECK(lead.flight->Look().state == State::kCommitted);
    CHECK(events() == Mailbox::kEnded);

    // Fenced: nothing is stored, and the flight waits for its leader's word.
    lead = store->Claim(SliceOf(key), 1, seen);
    join = store->Claim(SliceOf(key), 2, seen);
    CHECK(join.flight->Follow(mailbox, 9).state == State::kAsking);
    CHECK(store->Set(SliceOf(key), value, At(3e12)) == Stored::kDone);
    const Version now = VersionOf(*store, key);
    CHECK(store->Revise(SliceOf(key), now, At(4e12), lead.flight.get()) == Stored::kFenced);
    CHECK(store->Set(SliceOf(key), value, At(4e12), lead.flight.get()) == Stored::kFenced);
    CHECK(store->Find(SliceOf(key)).head().cached_at == 3e12);
    CHECK(lead.flight->Look().state == State::kAsking);
    CHECK(events() == 0);
    lead.flight->End(State::kAnswered, NoteOf("said"));
    CHECK(TextOf(join.flight->Look().note) == "said");
    CHECK(events() == Mailbox::kEnded);
  }
  CHECK(store->stats().pinned_bytes == 0);
  mailbox->Close();
}

TEST_CASE("flight: AtEnd speaks for a draft that ends without being committed") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB}, clock);
  const std::string key = "k";
  const auto lead = store->Claim(SliceOf(key), 1);
  auto draft = store->BeginFor(lead.flight, Draft::kUnknown);
  lead.flight->Grow(draft, NoteOf("grows"));
  CHECK(draft->Append(ValueOf(1, 1, 10000)) == Draft::Outcome::kDone);
  const auto state = [&] { return lead.flight->Look().state; };
  SUBCASE("aborted without it") {
    draft->Abort();
    CHECK(state() == State::kFailed);
    CHECK(TextOf(lead.flight->Look().note) == "");
  }
  SUBCASE("aborted") {
    lead.flight->AtEnd(NoteOf("whole"));
    draft->Abort();
    CHECK(state() == State::kAnswered);
    CHECK(TextOf(lead.flight->Look().note) == "whole");
  }
  SUBCASE("fenced") {
    lead.flight->AtEnd(NoteOf("whole"));
    store->Delete(SliceOf(key));
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kFenced);
    CHECK(state() == State::kAnswered);
    CHECK(TextOf(lead.flight->Look().note) == "whole");
  }
  SUBCASE("no room") {
    std::vector<std::shared_ptr<Draft>> full;
    for (bool room = true; room;) {
      full.push_back(store->Begin(SliceOf("other"), Draft::kUnknown, 1));
      room = full.back()->Append(ValueOf(2, 2, 100000)) == Draft::Outcome::kDone;
    }
    for (bool room = true; room;) {
      full.push_back(store->Begin(SliceOf("other"), Draft::kUnknown, 1));
      room = full.back()->Append(ValueOf(2, 2, 10)) == Draft::Outcome::kDone;
    }
    Metadata metadata = At(1e12);
    const std::string user(65536, 'u');
    metadata.has_user = true;
    metadata.user = SliceOf(user);
    lead.flight->AtEnd(nullptr);
    CHECK(draft->Commit(metadata) == Draft::Outcome::kNoRoom);
    CHECK(state() == State::kAnswered);
  }
  SUBCASE("committed all the same") {
    lead.flight->AtEnd(NoteOf("whole"));
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kDone);
    CHECK(state() == State::kCommitted);
  }
  SUBCASE("its owner died") {
    lead.flight->AtEnd(NoteOf("whole"));
    store->AbortOwner(1);
    CHECK(state() == State::kOwnerGone);
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kEnded);
  }
  SUBCASE("ended before") {
    lead.flight->AtEnd(NoteOf("whole"));
    lead.flight->End(State::kFailed, NoteOf("broken"));
    draft->Abort();
    CHECK(state() == State::kFailed);
    CHECK(TextOf(lead.flight->Look().note) == "broken");
  }
  store->AbortOwner(1);
}

TEST_CASE("flight: those who leave say whether they had what they wanted") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB}, clock);
  const std::string key = "k";
  const auto lead = store->Claim(SliceOf(key), 1);
  const auto mailbox = std::make_shared<Mailbox>([](void*) {}, nullptr);
  lead.flight->SetLeader(mailbox, 5);
  const auto first = store->Claim(SliceOf(key), 2);
  const auto second = store->Claim(SliceOf(key), 3);
  first.flight->Leave(false);
  CHECK(!lead.flight->wanted());
  std::vector<Mailbox::Letter> letters;
  mailbox->Drain(letters);
  CHECK(letters.empty());
  second.flight->Leave(true);
  CHECK(lead.flight->wanted());
  CHECK(lead.flight->joined() == 0);
  mailbox->Drain(letters);
  REQUIRE(letters.size() == 1);
  CHECK(letters[0].token == 5);
  CHECK(letters[0].events == Mailbox::kAlone);
  const auto third = store->Claim(SliceOf(key), 2);
  third.flight->Leave();
  CHECK(lead.flight->wanted());
  lead.flight->End(State::kFailed, nullptr);
  mailbox->Close();
}

TEST_CASE("flight: closed, nobody joins, nothing is committed, and the owner's death is heard") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB}, clock);
  const std::string key = "k";
  const auto lead = store->Claim(SliceOf(key), 1);
  const auto join = store->Claim(SliceOf(key), 2);
  lead.flight->Close();
  CHECK(store->Claim(SliceOf(key), 3).kind == Kind::kLead);
  CHECK(store->Set(SliceOf(key), SliceOf("v"), At(1e12), lead.flight.get()) == Stored::kFenced);
  CHECK(join.flight->Look().state == State::kAsking);
  store->AbortOwner(1);
  CHECK(join.flight->Look().state == State::kOwnerGone);
  store->AbortOwner(3);
}

TEST_CASE("draft: what has ended commits nothing, and says so") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB}, clock);
  const std::string key = "k";
  for (const bool fill : {false, true}) {
    const auto begin = [&](Owner owner) {
      if (!fill) return store->Begin(SliceOf(key), Draft::kUnknown, owner);
      return store->BeginFor(store->Claim(SliceOf(key), owner, 0, true).flight, Draft::kUnknown);
    };
    auto draft = begin(1);
    CHECK(draft->Append(SliceOf("some")) == Draft::Outcome::kDone);
    store->AbortOwner(1);
    // A fill's draft that nobody was told of is fenced, not ended: its flight did not know it.
    const auto outcome = draft->Commit(At(1e12));
    CHECK(outcome == (fill ? Draft::Outcome::kFenced : Draft::Outcome::kEnded));
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kEnded);
    CHECK(draft->Append(SliceOf("more")) == Draft::Outcome::kEnded);
    draft = begin(1);
    draft->Abort();
    CHECK(draft->Commit(At(1e12)) == Draft::Outcome::kEnded);
    CHECK(!store->Find(SliceOf(key)).found());
  }
}

TEST_CASE("evictions: whoever listens is told each key that left, in order, within bounds") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 4 * kMiB, .policy = PolicyKind::kFifo}, clock);
  const auto fill = [&](uint64_t from, uint64_t to, uint64_t size, double until = kNever) {
    Metadata metadata = At(1e12);
    metadata.fresh_until = metadata.stale_if_error_until = until;
    const std::vector<uint8_t> value(size);
    for (uint64_t key = from; key < to; key++) {
      store->Set(SliceOf(KeyOf(key)), value, metadata);
    }
  };
  fill(0, 10000, 1000);
  REQUIRE(store->stats().evictions > 0);
  CHECK(store->TakeEvicted().empty());

  SUBCASE("in order, and not what was deleted or cleared") {
    store->Listen(true);
    std::vector<uint64_t> had;
    for (uint64_t key = 0; key < 10000; key++) {
      if (store->Find(SliceOf(KeyOf(key)), true).found()) had.push_back(key);
    }
    store->Delete(SliceOf(KeyOf(had[1])));
    had.erase(had.begin() + 1);
    const uint64_t before = store->stats().evictions;
    fill(10000, 11000, 1000);
    const auto keys = store->TakeEvicted();
    REQUIRE(keys.size() == store->stats().evictions - before);
    REQUIRE(keys.size() > 900);
    for (uint64_t at = 0; at < keys.size(); at++) {
      REQUIRE(std::ranges::equal(keys[at].key, SliceOf(KeyOf(had[at]))));
    }
    store->Clear();
    for (int call = 0; call < 5; call++) store->Maintain();
    CHECK(store->TakeEvicted().empty());
    store->Listen(false);
  }
  SUBCASE("what has expired is told as well") {
    store->Clear();
    fill(20000, 23000, 1000, clock.now + 10);
    clock.now = clock.now + 100;
    store->Listen(true);
    fill(30000, 33000, 1000);
    CHECK(store->stats().expirations > 0);
    const auto keys = store->TakeEvicted();
    CHECK(keys.size() >= store->stats().expirations);
    store->Listen(false);
  }
  SUBCASE("listeners are counted, and what is kept for them is in the ledger") {
    const uint64_t before = store->stats().bytes;
    store->Listen(true);
    store->Listen(true);
    store->Listen(false);
    fill(10000, 10100, 1000);
    CHECK(store->stats().bytes > before - 65536);
    CHECK(!store->TakeEvicted().empty());
    fill(10100, 10200, 1000);
    store->Listen(false);
    CHECK(store->TakeEvicted().empty());
    fill(10200, 10300, 1000);
    CHECK(store->TakeEvicted().empty());
  }
  SUBCASE("nobody takes: the rest is counted, and not kept") {
    store->Listen(true);
    const uint64_t before = store->stats().evictions;
    fill(10000, 120000, 100);
    const uint64_t left = store->stats().evictions - before;
    CHECK(store->stats().bytes <= 4 * kMiB);
    const auto keys = store->TakeEvicted();
    CHECK(keys.size() + store->stats().evictions_untold == left);
    CHECK(keys.size() == 4 * kMiB / 16 / 16);
    store->Listen(false);
  }
}

TEST_CASE("arena: every view of a body lies in one page of it, between its base and its end") {
  ManualClock clock;
  for (const uint64_t max : {2 * kMiB, 20 * kMiB, 80 * kMiB, 300 * kMiB}) {
    const auto store = MakeStore({.max_bytes = max, .ceiling = max}, clock);
    const uint8_t* const base = store->arena_base();
    REQUIRE(store->arena_reserved() >= max);
    const auto check = [&](Slice view) {
      REQUIRE(view.data() >= base);
      const auto first = static_cast<uint64_t>(view.data() - base);
      const uint64_t last = first + view.size() - 1;
      REQUIRE(last < store->arena_reserved());
      REQUIRE(first / store->page_bytes() == last / store->page_bytes());
      REQUIRE(first / (4 * kMiB) == last / (4 * kMiB));
    };
    CHECK((store->page_bytes() & (store->page_bytes() - 1)) == 0);
    for (uint64_t key = 0; key < 60; key++) {
      const auto value = ValueOf(key, 0, 3000 + key * 3001);
      const auto draft = store->Begin(SliceOf(KeyOf(key)), Draft::kUnknown, 1);
      if (draft == nullptr || draft->Append(value) != Draft::Outcome::kDone) continue;
      for (uint64_t at = 0; at < value.size(); at += draft->View(at).size()) check(draft->View(at));
      if (draft->Commit(At(1e12)) != Draft::Outcome::kDone) continue;
      const EntryRef ref = store->Find(SliceOf(KeyOf(key)));
      REQUIRE(ref.found());
      if (!ref.pinned()) continue;
      for (uint64_t at = 0; at < value.size(); at += ref.View(at).size()) check(ref.View(at));
    }
  }
}

TEST_CASE("registry: that of the process outlives its statics") {
  // In a child, which leaves as a process does: what is registered first is called last, when a
  // static that was made after it would be gone.
  std::fflush(nullptr);
  std::cout.flush();
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    static std::shared_ptr<MemoryStore>* held = nullptr;
    std::atexit([] { ::_exit(NamedStores().size() == 1 && held != nullptr ? 0 : 1); });
    ManualClock clock;
    held = new std::shared_ptr<MemoryStore>(
        NamedStores().Attach("kept", {.max_bytes = kMiB, .clock = clock.clock()}).value());
    std::exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
