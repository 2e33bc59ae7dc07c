#include "policy/policy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "policy/ghost.h"
#include "policy/lfu.h"
#include "policy/s3_fifo.h"
#include "policy/sketch.h"
#include "policy/w_tinylfu.h"
#include "policy/window_climber.h"

// What the policies decide is tested by test/unit/policy, which holds them against known answers
// and against the TypeScript ones. Here: that they keep their invariants, clean under the
// sanitizers, and what they do without memory.
namespace drey {
namespace {

struct Entry {
  PolicyNode node;
  uint64_t size;
  uint32_t hash;
  bool here;
  bool pinned;
};

class Entries final : public PolicyNodes {
 public:
  explicit Entries(uint32_t count) : entries_(count) {
    Place(&entries_.data()->node, sizeof(Entry));
    std::mt19937 random(7);
    for (Entry& entry : entries_) entry.hash = static_cast<uint32_t>(random());
  }
  Entry& At(uint32_t handle) { return entries_[handle]; }
  uint32_t end() const { return static_cast<uint32_t>(entries_.size()); }
  uint32_t Hash(uint32_t handle) const noexcept override { return entries_[handle].hash; }
  uint64_t Size(uint32_t handle) const noexcept override { return entries_[handle].size; }
  bool Evictable(uint32_t handle) const noexcept override { return !entries_[handle].pinned; }

 private:
  std::vector<Entry> entries_;
};

constexpr uint32_t kNone = PolicyNode::kNone;
constexpr uint64_t kCapacity = 100'000;

std::unique_ptr<Policy> Make(PolicyKind kind, const Entries& entries, Ledger& ledger,
                             uint64_t capacity = kCapacity) {
  return MakePolicy(kind, entries,
                    {.system = PosixMemory(),
                     .ledger = ledger,
                     .capacity = capacity,
                     .most_entries = entries.end()});
}

// What the two policies that weigh their entries think that these weigh; of the others, what is
// right.
uint64_t BytesOf(PolicyKind kind, const Policy& policy, uint64_t right) {
  if (kind == PolicyKind::kS3Fifo) return static_cast<const S3Fifo&>(policy).bytes();
  if (kind == PolicyKind::kWTinyLfu) return static_cast<const WTinyLfu&>(policy).bytes();
  return right;
}

TEST_CASE("policy: names") {
  for (const PolicyName& known : kPolicyNames) CHECK(PolicyKindOf(known.name) == known.kind);
  CHECK(!PolicyKindOf("arc"));
  CHECK(!PolicyKindOf(""));
  CHECK(!PolicyKindOf("LRU"));
}

TEST_CASE("policy: a node is 8 bytes, and its parts do not meet") {
  CHECK(sizeof(PolicyNode) == 8);
  PolicyNode node{};
  for (const uint32_t older : {0u, 1u, kNone - 1, kNone}) {
    for (const uint32_t newer : {0u, 1u, kNone - 1, kNone}) {
      for (uint32_t mark = 0; mark < 16; mark++) {
        node.set_mark(mark);
        node.set_older(older);
        node.set_newer(newer);
        REQUIRE(node.older() == older);
        REQUIRE(node.newer() == newer);
        REQUIRE(node.mark() == mark);
        node.set_mark(15 - mark);
        REQUIRE(node.older() == older);
        REQUIRE(node.newer() == newer);
      }
    }
  }
}

// Any calls, with memory as the ledger allows it.
void Torment(PolicyKind kind, uint64_t memory, uint32_t seed) {
  CAPTURE(static_cast<int>(kind));
  CAPTURE(memory);
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto below = [&](uint32_t end) { return static_cast<uint32_t>(random() % end); };
  Entries entries(below(3) == 0 ? 20 : 1500);
  Ledger ledger(memory);
  {
    const std::unique_ptr<Policy> policy = Make(kind, entries, ledger);
    REQUIRE(policy != nullptr);
    uint32_t live = 0;
    uint64_t bytes = 0;
    uint32_t pinned = 0;
    for (int step = 0; step < 20'000; step++) {
      const uint32_t handle = below(entries.end());
      Entry& entry = entries.At(handle);
      switch (below(12)) {
        case 0:
        case 1:
        case 2:
          if (entry.here) break;
          // What a policy finds in a node that it was not in yet is anybody's guess.
          std::memset(static_cast<void*>(&entry.node), static_cast<int>(below(256)),
                      sizeof entry.node);
          entry.size = below(5) == 0 ? below(2) * kCapacity : below(500);
          entry.here = true;
          live += 1;
          bytes += entry.size;
          policy->Add(handle);
          break;
        case 3:
        case 4:
        case 5:
        case 6:
          if (entry.here) policy->Touch(handle);
          break;
        case 7: {
          if (!entry.here || below(3) != 0) break;
          policy->Remove(handle);
          entry.here = false;
          live -= 1;
          bytes -= entry.size;
          break;
        }
        case 8: {
          if (!entry.here) break;
          const uint64_t before = entry.size;
          entry.size = below(1000);
          bytes += entry.size - before;
          policy->Resize(handle, before);
          break;
        }
        case 9: {
          if (below(4) != 0) break;
          pinned += entry.pinned ? -1u : 1u;
          entry.pinned = !entry.pinned;
          break;
        }
        case 10: {
          if (below(50) == 0) policy->SetCapacity(below(2 * kCapacity));
          if (below(3) == 0) static_cast<void>(policy->Prepare());
          break;
        }
        default: {
          const bool pinned_too = below(10) == 0;
          const uint32_t victim = policy->Evict(pinned_too);
          if (victim == kNone) {
            REQUIRE((live == 0 || (!pinned_too && pinned > 0)));
            break;
          }
          Entry& gone = entries.At(victim);
          REQUIRE(gone.here);
          REQUIRE((pinned_too || !gone.pinned));
          gone.here = false;
          live -= 1;
          bytes -= gone.size;
        }
      }
      REQUIRE(policy->count() == live);
      REQUIRE(BytesOf(kind, *policy, bytes) == bytes);
      REQUIRE(policy->MemoryBytes() == ledger.used());
    }
    std::set<uint32_t> drained;
    for (uint32_t victim = policy->Evict(true); victim != kNone; victim = policy->Evict(true)) {
      REQUIRE(entries.At(victim).here);
      REQUIRE(drained.insert(victim).second);
    }
    CHECK(drained.size() == live);
    CHECK(policy->count() == 0);
    CHECK(BytesOf(kind, *policy, 0) == 0);
  }
  CHECK(ledger.used() == 0);
}

TEST_CASE("policy: invariants after any calls, with all memory, little, and none") {
  for (const PolicyName& known : kPolicyNames) {
    for (const uint64_t memory : {UINT64_MAX, uint64_t{8192}, uint64_t{0}}) {
      for (uint32_t seed = 1; seed <= 4; seed++) Torment(known.kind, memory, seed);
    }
  }
}

TEST_CASE("policy: at most kMostPasses pinned entries are passed over, and the next call goes on") {
  for (const PolicyName& known : kPolicyNames) {
    CAPTURE(known.name);
    Entries entries(1001);
    Ledger ledger(UINT64_MAX);
    const std::unique_ptr<Policy> policy = Make(known.kind, entries, ledger);
    for (uint32_t handle = 0; handle <= 1000; handle++) {
      entries.At(handle).size = 1;
      entries.At(handle).pinned = handle != 1000;
      policy->Add(handle);
    }
    uint32_t in_vain = 0;
    uint32_t victim = kNone;
    while (victim == kNone && in_vain <= 4) {
      victim = policy->Evict(false);
      in_vain += victim == kNone;
    }
    CHECK(victim == 1000);
    CHECK(in_vain <= 1000 / Policy::kMostPasses);
    CHECK(policy->Evict(false) == kNone);
    CHECK(policy->count() == 1000);
  }
}

TEST_CASE("policy: what is remembered is bounded by the capacity") {
  for (const PolicyName& known : kPolicyNames) {
    CAPTURE(known.name);
    constexpr uint64_t kBytes = 1 << 20;
    Entries entries(1 << 16);
    Ledger ledger(UINT64_MAX);
    const std::unique_ptr<Policy> policy = Make(known.kind, entries, ledger, kBytes);
    for (uint32_t handle = 0; handle < entries.end(); handle++) {
      if (policy->count() == 20'000) policy->Evict(false);
      entries.At(handle).size = 1;
      policy->Add(handle);
    }
    // LFU has two bytes for each handle instead.
    const uint64_t bound = known.kind == PolicyKind::kLfu ? 2 * entries.end() + 8192 : kBytes / 100;
    CHECK(policy->MemoryBytes() <= bound);
  }
}

TEST_CASE("policy: null when the system has no addresses") {
  class NoAddresses final : public SystemMemory {
   public:
    uint64_t Granularity() const noexcept override { return PosixMemory().Granularity(); }
    uint64_t HugePage() const noexcept override { return Granularity(); }
    uint64_t Physical() const noexcept override { return 0; }
    uint8_t* Reserve(uint64_t) noexcept override { return nullptr; }
    void Release(uint8_t*, uint64_t) noexcept override {}
    bool Commit(uint8_t*, uint64_t) noexcept override { return false; }
    void GiveBack(uint8_t*, uint64_t) noexcept override {}
  };
  NoAddresses system;
  Entries entries(10);
  Ledger ledger(UINT64_MAX);
  for (const PolicyKind kind : {PolicyKind::kLfu, PolicyKind::kS3Fifo, PolicyKind::kWTinyLfu}) {
    CHECK(MakePolicy(kind, entries,
                     {.system = system, .ledger = ledger, .capacity = 10, .most_entries = 10}) ==
          nullptr);
  }
  CHECK(ledger.used() == 0);
}

TEST_CASE("policy: Prepare takes what there was no room for") {
  Entries entries(20'000);
  for (uint32_t handle = 0; handle < entries.end(); handle++) entries.At(handle).size = 512;
  for (const PolicyKind kind : {PolicyKind::kLfu, PolicyKind::kS3Fifo, PolicyKind::kWTinyLfu}) {
    CAPTURE(static_cast<int>(kind));
    Ledger ledger(8192);
    const std::unique_ptr<Policy> policy = Make(kind, entries, ledger, 512 * 10'000);
    for (uint32_t handle = 0; handle < entries.end(); handle++) {
      if (policy->count() == 10'000) policy->Evict(false);
      policy->Add(handle);
    }
    CHECK(policy->Prepare() == Region::Growth::kNoRoom);
    CHECK(policy->MemoryBytes() <= 8192);
    ledger.SetMax(UINT64_MAX);
    // A step at a time: whoever makes room for it makes room for one.
    while (policy->Prepare() == Region::Growth::kDone && policy->MemoryBytes() <= 8192) {
    }
    CHECK(policy->MemoryBytes() > 8192);
    CHECK(policy->MemoryBytes() == ledger.used());
  }
}

TEST_CASE("lfu: entries for which there was no memory go before all others") {
  Entries entries(5000);
  Ledger ledger(8192);
  Lfu lfu(entries, Lfu::kMostBuckets);
  REQUIRE(lfu.Reserve(
      {.system = PosixMemory(), .ledger = ledger, .capacity = kCapacity, .most_entries = 5000}));
  // A page has room for the buckets of 2048 handles, another for buckets.
  lfu.Add(10);
  lfu.Add(4000);
  lfu.Add(4001);
  for (int uses = 0; uses < 5; uses++) lfu.Touch(4000);
  CHECK(lfu.Evict(false) == 4000);
  CHECK(lfu.Evict(false) == 4001);
  CHECK(lfu.Evict(false) == 10);
  CHECK(lfu.Evict(false) == kNone);
}

TEST_CASE("lfu: entries wait at their frequency when there is no bucket left") {
  Entries entries(10);
  Ledger ledger(UINT64_MAX);
  Lfu lfu(entries, 2);
  REQUIRE(lfu.Reserve(
      {.system = PosixMemory(), .ledger = ledger, .capacity = kCapacity, .most_entries = 10}));
  for (const uint32_t handle : {0u, 1u, 2u}) lfu.Add(handle);
  for (const uint32_t handle : {0u, 2u, 2u}) lfu.Touch(handle);
  lfu.Add(3);
  for (const uint32_t handle : {1u, 3u, 0u, 2u}) CHECK(lfu.Evict(false) == handle);
}

// The definition of a ghost queue: a list, oldest first.
struct GhostModel {
  struct Remembered {
    uint32_t fingerprint;
    uint64_t size;
  };
  std::deque<Remembered> entries;
  uint64_t bytes = 0;
  uint64_t max_bytes = 0;

  // Of a size the eight highest bits are remembered.
  void Add(uint32_t fingerprint, uint64_t size) {
    const int spare = std::max(0, static_cast<int>(std::bit_width(size)) - 8);
    entries.push_back({fingerprint, size >> spare << spare});
    bytes += entries.back().size;
  }
  bool Take(uint32_t fingerprint) {
    const auto found = std::find_if(entries.rbegin(), entries.rend(), [&](const Remembered& entry) {
      return entry.fingerprint == fingerprint;
    });
    const bool had = found != entries.rend();
    if (had) {
      bytes -= found->size;
      entries.erase(std::next(found).base());
    }
    Trim();
    return had;
  }
  void Trim() {
    for (; bytes > max_bytes; entries.pop_front()) bytes -= entries.front().size;
  }
};

TEST_CASE("ghost: remembers as a list would, also where its numbers begin anew") {
  for (uint32_t seed = 1; seed <= 12; seed++) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&](uint32_t end) { return static_cast<uint32_t>(random() % end); };
    Ledger ledger(UINT64_MAX);
    Ghost ghost;
    REQUIRE(ghost.Reserve(PosixMemory(), ledger, 1 << 16, seed % 2 == 0 ? 11'000 : UINT32_MAX - 1));
    GhostModel model;
    model.max_bytes = 3000 << below(7);
    ghost.SetCapacity(model.max_bytes, uint64_t{1} << 30);
    const uint32_t keys = 1u << (4 + below(12));
    for (int step = 0; step < 40'000; step++) {
      const uint32_t fingerprint = below(keys) * 2654435769u;
      if (below(3) == 0) {
        REQUIRE(ghost.Take(fingerprint) == model.Take(fingerprint));
      } else {
        const uint64_t size = below(100) == 0 ? uint64_t{3} << 33 : below(1000);
        ghost.Add(fingerprint, size);
        model.Add(fingerprint, size);
      }
      REQUIRE(ghost.bytes() == model.bytes);
      if (below(1000) == 0) {
        model.max_bytes = 3000 << below(7);
        model.Trim();
        ghost.SetCapacity(model.max_bytes, uint64_t{1} << 30);
      }
    }
  }
}

TEST_CASE("ghost: gives memory back when the capacity shrinks, and keeps the newest") {
  Ledger ledger(UINT64_MAX);
  Ghost ghost;
  REQUIRE(ghost.Reserve(PosixMemory(), ledger, 1 << 20));
  ghost.SetCapacity(UINT64_MAX, 2048 * 50'000);
  for (uint32_t fingerprint = 0; fingerprint < 60'000; fingerprint++) ghost.Add(fingerprint, 1);
  CHECK(ghost.used() == 50'000);
  const uint64_t before = ghost.MemoryBytes();
  ghost.SetCapacity(UINT64_MAX, 2048 * 1000);
  CHECK(ghost.used() == 1000);
  CHECK(ghost.MemoryBytes() < before / 10);
  CHECK(ghost.MemoryBytes() == ledger.used());
  CHECK(!ghost.Take(58'999));
  for (uint32_t fingerprint = 59'000; fingerprint < 60'000; fingerprint++) {
    REQUIRE(ghost.Take(fingerprint));
  }
}

TEST_CASE("sketch: never too low until it ages, unchanged as it grows, bounded") {
  Ledger ledger(UINT64_MAX);
  FrequencySketch sketch;
  REQUIRE(sketch.Reserve(PosixMemory(), ledger, 1 << 20));
  sketch.SetCapacity(uint64_t{1} << 30);
  CHECK(sketch.Estimate(1) == 0);
  sketch.Count(1, 1000);
  CHECK(sketch.Estimate(1) == 0);
  REQUIRE(sketch.Grow(500) == Region::Growth::kDone);
  std::mt19937 random(1);
  std::vector<uint32_t> exact(300);
  std::vector<uint32_t> hashes(300);
  for (uint32_t& hash : hashes) hash = static_cast<uint32_t>(random());
  for (int use = 0; use < 4000; use++) {
    const auto id = static_cast<size_t>(random() % 300 * (random() % 300) / 300);
    exact[id] += 1;
    sketch.Count(hashes[id], 1000);
    REQUIRE(sketch.Estimate(hashes[id]) >= std::min(exact[id], 15u));
  }
  std::vector<uint32_t> before;
  for (const uint32_t hash : hashes) before.push_back(sketch.Estimate(hash));
  REQUIRE(sketch.Grow(20'000) == Region::Growth::kDone);
  for (size_t id = 0; id < 300; id++) REQUIRE(sketch.Estimate(hashes[id]) == before[id]);
  CHECK(sketch.Grow(1 << 24) == Region::Growth::kDone);
  CHECK(sketch.MemoryBytes() <= (uint64_t{1} << 30) / 128);
}

TEST_CASE("climber: goes on, turns, and begins anew") {
  WindowClimber climber(16'000);
  const auto sample = [&](int hits) {
    for (int use = 0; use < 1000; use++) {
      REQUIRE(climber.Climb(1000) == 0);
      use < hits ? climber.Hit() : climber.Miss();
    }
    return climber.Climb(1000);
  };
  CHECK(sample(500) == 1000);
  CHECK(sample(510) == 1000);
  CHECK(sample(515) == 980);
  CHECK(sample(505) == -960);
  CHECK(sample(440) == 1000 - 59);
  CHECK(sample(380) == -1000);
}

}  // namespace
}  // namespace drey
