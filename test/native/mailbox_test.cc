// News between threads: none is lost, and none comes too late.

#include <doctest/doctest.h>

#include <thread>

#include "memory_fixture.h"
#include "memory_history.h"
#include "memory_store/flight.h"

using namespace drey;
using namespace drey::test;

namespace {

using Claimed = MemoryStore::Claimed;
using State = Flight::State;

}  // namespace

TEST_CASE("mailbox: of all that is posted nothing is lost, and after Close nothing comes") {
  for (int round = 0; round < 20; round++) {
    Waiter waiter;
    constexpr uint64_t kPosts = 2000;
    std::vector<std::thread> posters;
    for (uint64_t poster = 0; poster < 2; poster++) {
      posters.emplace_back([&, poster] {
        for (uint64_t at = 0; at < kPosts; at++) {
          waiter.mailbox()->Post(poster * kPosts + at, Mailbox::kGrew);
        }
      });
    }
    std::vector<Mailbox::Letter> letters;
    uint64_t came = 0;
    bool lost = false;
    while (came < 2 * kPosts && !lost) {
      lost = !waiter.Wait(letters);
      came += letters.size();
    }
    for (std::thread& poster : posters) poster.join();
    CHECK(!lost);
    CHECK(came == 2 * kPosts);
  }
  // Closed while others post: what the wake-up is given may go the moment Close returns.
  struct Woken {
    std::atomic<uint64_t> calls = 0;
    std::atomic<uint64_t> late = 0;
    std::atomic<bool> closed = false;
  };
  for (int round = 0; round < 300; round++) {
    Woken woken;
    const auto mailbox = std::make_shared<Mailbox>(
        [](void* context) {
          auto* const self = static_cast<Woken*>(context);
          self->calls += 1;
          for (int turn = 0; turn < 3; turn++) std::this_thread::yield();
          if (self->closed) self->late += 1;
        },
        &woken);
    std::thread poster([mailbox] {
      std::vector<Mailbox::Letter> letters;
      for (uint64_t at = 0; at < 100; at++) {
        mailbox->Post(at, Mailbox::kEnded);
        mailbox->Drain(letters);
      }
    });
    while (woken.calls < 10) std::this_thread::yield();
    mailbox->Close();
    woken.closed = true;
    poster.join();
    REQUIRE(woken.late == 0);
  }
}

TEST_CASE("flight: who begins to follow while it ends is told, or sees the end") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = kMiB}, clock);
  constexpr uint64_t kRounds = 4000;
  std::vector<std::shared_ptr<Flight>> flights(kRounds);
  std::atomic<uint64_t> begun = 0;
  std::atomic<uint64_t> over = 0;
  std::atomic<uint64_t> lost = 0;
  std::thread follower([&] {
    Waiter waiter;
    std::vector<Mailbox::Letter> letters;
    for (uint64_t round = 0; round < kRounds; round++) {
      while (begun <= round) {
      }
      const auto& flight = flights[round];
      if (flight->Follow(waiter.mailbox(), round).state == State::kAsking) {
        if (lost == 0 && !waiter.Wait(letters)) lost += 1;
      }
      over = round + 1;
    }
  });
  Random random(1);
  for (uint64_t round = 0; round < kRounds; round++) {
    flights[round] = store->Claim(SliceOf(KeyOf(round % 7)), 1).flight;
    begun = round + 1;
    for (uint64_t turns = random.Below(60); turns > 0; turns--) static_cast<void>(begun.load());
    flights[round]->End(State::kFailed, nullptr);
    while (over <= round) std::this_thread::yield();
  }
  follower.join();
  CHECK(lost == 0);
}

TEST_CASE("flight: the leader hears that the last follower has left, whenever it was") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = kMiB}, clock);
  Waiter waiter;
  std::vector<Mailbox::Letter> letters;
  for (int round = 0; round < 2000; round++) {
    const auto lead = store->Claim(SliceOf("k"), 1);
    REQUIRE(lead.kind == Claimed::Kind::kLead);
    lead.flight->SetLeader(waiter.mailbox(), 1);
    const auto first = store->Claim(SliceOf("k"), 2);
    const auto second = store->Claim(SliceOf("k"), 3);
    std::thread other([&] { first.flight->Leave(round % 2 == 0); });
    second.flight->Leave(false);
    while (lead.flight->joined() > 0) std::this_thread::yield();
    REQUIRE(waiter.Wait(letters));
    REQUIRE(letters.size() == 1);
    CHECK(letters[0].events == Mailbox::kAlone);
    CHECK(lead.flight->wanted() == (round % 2 == 0));
    other.join();
    lead.flight->End(State::kFailed, nullptr);
  }
}
