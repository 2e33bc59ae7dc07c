// A system that refuses memory, at every call that a store makes.

#include <doctest/doctest.h>

#include "memory_own_values.h"
#include "memory_store/flight.h"

using namespace drey;
using namespace drey::test;

namespace {

// The system's memory, which refuses one call, or all from one on.
class RefusingMemory final : public SystemMemory {
 public:
  RefusingMemory(uint64_t nth, bool for_good) noexcept : nth_(nth), for_good_(for_good) {}

  uint64_t Granularity() const noexcept override { return PosixMemory().Granularity(); }
  uint64_t HugePage() const noexcept override { return Granularity(); }
  uint64_t Physical() const noexcept override { return 64 * kMiB; }
  uint8_t* Reserve(uint64_t bytes) noexcept override {
    if (Refuses()) return nullptr;
    reservations += 1;
    return PosixMemory().Reserve(bytes);
  }
  void Release(uint8_t* start, uint64_t bytes) noexcept override {
    reservations -= 1;
    PosixMemory().Release(start, bytes);
  }
  bool Commit(uint8_t* start, uint64_t bytes) noexcept override {
    return !Refuses() && PosixMemory().Commit(start, bytes);
  }
  void GiveBack(uint8_t* start, uint64_t bytes) noexcept override {
    PosixMemory().GiveBack(start, bytes);
  }

  uint64_t calls = 0;
  int64_t reservations = 0;

 private:
  bool Refuses() noexcept {
    calls += 1;
    return calls == nth_ || (for_good_ && calls > nth_);
  }

  const uint64_t nth_;
  const bool for_good_;
};

// The system's memory, with so many bytes of addresses.
class FewAddresses final : public SystemMemory {
 public:
  explicit FewAddresses(uint64_t bytes) noexcept : left_(bytes) {}

  uint64_t Granularity() const noexcept override { return PosixMemory().Granularity(); }
  uint64_t HugePage() const noexcept override { return Granularity(); }
  uint64_t Physical() const noexcept override { return 64 * kMiB; }
  uint8_t* Reserve(uint64_t bytes) noexcept override {
    if (bytes > left_) return nullptr;
    left_ -= bytes;
    return PosixMemory().Reserve(bytes);
  }
  void Release(uint8_t* start, uint64_t bytes) noexcept override {
    left_ += bytes;
    PosixMemory().Release(start, bytes);
  }
  bool Commit(uint8_t* start, uint64_t bytes) noexcept override {
    return PosixMemory().Commit(start, bytes);
  }
  void GiveBack(uint8_t* start, uint64_t bytes) noexcept override {
    PosixMemory().GiveBack(start, bytes);
  }

 private:
  uint64_t left_;
};

// Some of everything. False when the store could not be made.
bool Scenario(SystemMemory& memory) {
  ManualClock clock;
  const auto store = MakeStore(
      {.max_bytes = 2 * kMiB, .shards = 2, .ceiling = 8 * kMiB, .system = &memory}, clock);
  if (store == nullptr) return false;
  const auto key = SliceOf("draft");
  for (uint64_t round = 0; round < 3; round++) {
    for (uint64_t at = 0; at < 700; at++) {
      Put(*store, at, at % 40 == 0 ? 30000 : at % 900, at % 3 == 0 ? clock.now + 50 : kNever);
      REQUIRE(store->stats().bytes <= store->stats().max_bytes + 8192);
      Has(*store, at / 2);
    }
    clock.now = clock.now + 100;
    const auto claimed = store->Claim(key, 1);
    if (claimed.kind == MemoryStore::Claimed::Kind::kLead) {
      if (const auto draft = store->BeginFor(claimed.flight, Draft::kUnknown)) {
        claimed.flight->Grow(draft, nullptr);
        Draft::Outcome outcome = Draft::Outcome::kDone;
        for (int part = 0; part < 30 && outcome == Draft::Outcome::kDone; part++) {
          outcome = draft->Append(ValueOf(1, 1, 5000));
        }
        if (outcome == Draft::Outcome::kDone) outcome = draft->Commit(At(1e12));
        if (outcome != Draft::Outcome::kDone) draft->Abort();
        CHECK(claimed.flight->Look().state >= Flight::State::kCommitted);
      } else {
        claimed.flight->End(Flight::State::kFailed, nullptr);
      }
    }
    const Version version = store->Find(key).head().version;
    Metadata metadata = At(2e12);
    const std::string user(9000, 'u');
    metadata.has_user = true;
    metadata.user = SliceOf(user);
    if (store->Revise(key, version, metadata) == Stored::kDone) {
      const EntryRef ref = store->Find(key);
      CHECK(ref.found());
      CHECK(std::ranges::equal(ref.user(), SliceOf(user)));
      CHECK(ref.head().size == 150000);
    }
    static_cast<void>(store->Configure((round + 1) * kMiB + kMiB / 2, 0,
                                       round == 1 ? PolicyKind::kWTinyLfu : PolicyKind::kLru));
    store->Maintain();
    if (round == 1) store->Clear();
  }
  for (uint64_t at = 0; at < 700; at++) Has(*store, at);
  CHECK(store->stats().pinned_bytes == 0);
  return true;
}

}  // namespace

TEST_CASE("hostile: the system refuses memory, at each call in turn, once and for good") {
  RefusingMemory willing(UINT64_MAX, false);
  REQUIRE(Scenario(willing));
  REQUIRE(willing.calls > 100);
  uint64_t made = 0;
  for (const bool for_good : {false, true}) {
    for (uint64_t nth = 1; nth <= willing.calls; nth++) {
      CAPTURE(nth);
      CAPTURE(for_good);
      RefusingMemory memory(nth, for_good);
      made += Scenario(memory) ? 1 : 0;
      REQUIRE(memory.reservations == 0);
    }
  }
  CHECK(made > willing.calls);
}

TEST_CASE("hostile: a system with few addresses: what a store can do without is left") {
  uint64_t least = 0;
  uint64_t most = 0;
  for (uint64_t bytes = kMiB; most == 0; bytes += kMiB / 2) {
    CAPTURE(bytes);
    REQUIRE(bytes < 1024 * kMiB);
    ManualClock clock;
    FewAddresses memory(bytes);
    const auto store = MakeStore({.max_bytes = 2 * kMiB, .shards = 2, .system = &memory}, clock);
    // Where it could be made, more addresses are no reason to fail.
    REQUIRE((store != nullptr || least == 0));
    if (store == nullptr) continue;
    if (least == 0) least = bytes;
    if (store->arena_reserved() == 64 * kMiB) most = bytes;
    CHECK((most != 0 || store->arena_reserved() == 2 * kMiB));
    CHECK(Put(*store, 1, 30000) == Stored::kDone);
    CHECK(Has(*store, 1));
  }
  CHECK(least < most);
}
