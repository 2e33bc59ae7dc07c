#include <doctest/doctest.h>

#include <map>
#include <set>

#include "memory_fixture.h"
#include "memory_store/store.h"

using namespace drey;
using namespace drey::test;

namespace {

std::vector<uint8_t> Bytes(const EntryRef& ref) {
  std::vector<uint8_t> bytes(ref.head().size);
  CHECK(ref.Read(0, bytes) == bytes.size());
  return bytes;
}

MemoryStore::Stored Put(MemoryStore& store, uint64_t key, uint64_t version, uint64_t size) {
  return store.Set(SliceOf(KeyOf(key)), ValueOf(key, version, size), At(1e12));
}

}  // namespace

TEST_CASE("memory store: what is set is found, in all sizes and shapes") {
  ManualClock clock;
  const auto store = MakeStore({.max_bytes = 64 * kMiB, .ceiling = 64 * kMiB}, clock);
  REQUIRE(store != nullptr);
  const std::string etag = "\"abc\"";
  for (const uint64_t user_size : {uint64_t{0}, uint64_t{20}, uint64_t{5000}, uint64_t{65536}}) {
    const std::string user(user_size, 'u');
    for (const uint64_t size : {0, 1, 7, 64, 1000, 1024, 4000, 4080, 4096, 4097, 5000, 65535, 65536,
                                65537, 200000, 1048576, 3000001}) {
      for (const bool timed : {false, true}) {
        const auto value = ValueOf(size, user_size, size);
        Metadata metadata = At(timed ? 1.5 : 1e12);
        metadata.has_etag = timed;
        metadata.etag = SliceOf(etag);
        metadata.has_user = user_size > 0;
        metadata.user = SliceOf(user);
        if (timed) metadata.fresh_until = 2e12;
        if (timed) metadata.stale_if_error_until = 3e12;
        const std::string key = "k" + std::to_string(size);
        REQUIRE(store->Set(SliceOf(key), value, metadata) == MemoryStore::Stored::kDone);
        const EntryRef ref = store->Find(SliceOf(key));
        REQUIRE(ref.found());
        CHECK(Bytes(ref) == value);
        CHECK(ref.head().cached_at == metadata.cached_at);
        CHECK(ref.head().fresh_until == metadata.fresh_until);
        CHECK(ref.head().stale_if_error_until == metadata.stale_if_error_until);
        CHECK(ref.head().has_etag == timed);
        CHECK(ref.head().has_user == (user_size > 0));
        CHECK(std::ranges::equal(ref.user(), SliceOf(user)));
        if (timed) CHECK(std::ranges::equal(ref.etag(), SliceOf(etag)));
        std::vector<uint8_t> copy(size);
        std::vector<uint8_t> text(70000);
        Head head;
        CHECK(store->GetCopy(SliceOf(key), copy, text, head) == MemoryStore::Copied::kDone);
        CHECK(copy == value);
        CHECK(std::memcmp(text.data() + head.etag_size, user.data(), user.size()) == 0);
        if (size > 0) {
          CHECK(store->GetCopy(SliceOf(key), std::span(copy).first(size - 1), {}, head) ==
                MemoryStore::Copied::kTooLarge);
        }
      }
    }
  }
  CHECK(store->stats().pinned_bytes == 0);
  CHECK(!store->Find(SliceOf("other")).found());
  CHECK(store->Delete(SliceOf("k64")));
  CHECK(!store->Delete(SliceOf("k64")));
  CHECK(!store->Find(SliceOf("k64")).found());
}

TEST_CASE("memory store: against a map, a miss is allowed and a wrong byte never") {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    ManualClock clock;
    const uint64_t max = (seed % 2 == 0 ? 3 : 20) * kMiB;
    const auto store = MakeStore({.max_bytes = max, .shards = seed > 2 ? 4U : 0U}, clock);
    REQUIRE(store != nullptr);
    Random random(seed);
    std::map<uint64_t, std::pair<uint64_t, uint64_t>> model;
    std::vector<std::pair<uint64_t, EntryRef>> open;
    std::map<uint64_t, std::vector<uint8_t>> contents;
    uint64_t version = 0;
    uint64_t hits = 0;
    for (int step = 0; step < 30000; step++) {
      const uint64_t key = random.Below(2000);
      const std::string name = KeyOf(key);
      const uint64_t what = random.Below(100);
      if (what < 45) {
        const uint64_t scale = random.Below(20);
        const uint64_t size = random.Below(scale == 0   ? 300000
                                           : scale < 4  ? 20000
                                           : scale < 10 ? 2000
                                                        : 300);
        version += 1;
        Metadata metadata = At(1e12);
        if (random.Below(4) == 0) {
          metadata.fresh_until = metadata.stale_if_error_until =
              clock.now + static_cast<double>(random.Below(100000));
        }
        if (store->Set(SliceOf(name), ValueOf(key, version, size), metadata) ==
            MemoryStore::Stored::kDone) {
          model[key] = {version, size};
        }
      } else if (what < 85) {
        const EntryRef ref = store->Find(SliceOf(name));
        if (!ref.found()) continue;
        hits += 1;
        REQUIRE(model.contains(key));
        const auto [has, size] = model[key];
        REQUIRE(ref.head().size == size);
        REQUIRE(Bytes(ref) == ValueOf(key, has, size));
      } else if (what < 90) {
        store->Delete(SliceOf(name));
        model.erase(key);
      } else if (what < 94) {
        EntryRef ref = store->Find(SliceOf(name));
        if (ref.found() && open.size() < 20) {
          contents[open.size()] = Bytes(ref);
          open.emplace_back(open.size(), std::move(ref));
        }
      } else if (what == 94) {
        for (const auto& [number, ref] : open) REQUIRE(Bytes(ref) == contents[number]);
        open.clear();
      } else if (what == 95 && random.Below(50) == 0) {
        store->Clear();
        model.clear();
      } else if (what == 96) {
        clock.now = clock.now + 1000;
      } else if (what == 97) {
        const EntryRef ref = store->Find(SliceOf(name));
        if (!ref.found()) continue;
        const std::string user(random.Below(600), 'x');
        Metadata metadata = At(2e12);
        metadata.has_user = true;
        metadata.user = SliceOf(user);
        if (store->Revise(SliceOf(name), ref.head().version, metadata) ==
            MemoryStore::Stored::kDone) {
          const EntryRef again = store->Find(SliceOf(name));
          REQUIRE(again.found());
          CHECK(again.head().cached_at == 2e12);
          CHECK(again.user().size() == user.size());
          CHECK(again.head().version == ref.head().version);
        }
      } else if (what == 98 && random.Below(20) == 0) {
        store->Maintain();
      } else {
        std::set<std::vector<uint8_t>> seen;
        if (random.Below(100) == 0) {
          MemoryStore::Cursor cursor;
          for (;;) {
            const auto listed = store->List(cursor, 64);
            if (listed.empty()) break;
            for (const auto& entry : listed) REQUIRE(seen.insert(entry.key).second);
          }
          REQUIRE(seen.size() == store->stats().entries);
        }
      }
      REQUIRE(store->stats().bytes <= max + 16384);
    }
    CHECK(hits > 500);
    open.clear();
    CHECK(store->stats().pinned_bytes == 0);
  }
}

TEST_CASE(
    "memory store: after the sizes change, it hits as a fresh store does within two turnovers") {
  ManualClock clock;
  constexpr uint64_t kMax = 64 * kMiB;
  for (const PolicyKind policy : {PolicyKind::kLru, PolicyKind::kSieve, PolicyKind::kS3Fifo}) {
    const auto store = MakeStore({.max_bytes = kMax, .policy = policy}, clock);
    const auto fresh = MakeStore({.max_bytes = kMax, .policy = policy}, clock);
    Random random(9);
    for (uint64_t key = 0; key < 2 * kMax / 300; key++) Put(*store, key, 0, 200);
    CHECK(store->stats().entries > 200000);
    // Most asked for are few of twice as many as fit; what is missed is set.
    const auto ask = [&](MemoryStore& of, uint64_t key) {
      if (of.Find(SliceOf(KeyOf(key))).found()) return 1;
      Put(of, key, 0, 20000);
      return 0;
    };
    uint64_t sets = 0;
    uint64_t asked = 0;
    uint64_t hits = 0;
    uint64_t fresh_hits = 0;
    while (sets < 3 * kMax / 20000) {
      const uint64_t key = 1000000 + random.Below(1 + random.Below(2 * kMax / 20000));
      const int hit = ask(*store, key);
      const int fresh_hit = ask(*fresh, key);
      sets += hit == 0 ? 1 : 0;
      if (sets < 2 * kMax / 20000) continue;
      asked += 1;
      hits += static_cast<uint64_t>(hit);
      fresh_hits += static_cast<uint64_t>(fresh_hit);
    }
    const double lost =
        (static_cast<double>(fresh_hits) - static_cast<double>(hits)) / static_cast<double>(asked);
    MESSAGE("hit ratio lost: " << 100 * lost << " points of "
                               << 100 * static_cast<double>(fresh_hits) /
                                      static_cast<double>(asked));
    CHECK(lost < 0.01);
  }
}

TEST_CASE("memory store: what an entry costs beside key and value") {
  for (const PolicyName& policy : kPolicyNames) {
    if (policy.kind != PolicyKind::kWTinyLfu && policy.kind != PolicyKind::kS3Fifo) continue;
    double sum = 0;
    for (const uint64_t size : {1000, 1024, 1100, 1500}) {
      constexpr uint64_t kMax = 256 * kMiB;
      ManualClock clock;
      const auto store = MakeStore({.max_bytes = kMax, .policy = policy.kind}, clock);
      const std::vector<uint8_t> value(size);
      for (uint64_t key = 0; key < kMax / size * 5 / 4; key++) {
        store->Set(SliceOf(KeyOf(key)), value, At(1e12));
      }
      const MemoryStore::Stats stats = store->stats();
      const auto entries = static_cast<double>(stats.entries);
      const double cost =
          static_cast<double>(stats.bytes) / entries - static_cast<double>(size) - 16;
      MESSAGE(policy.name << ", " << size << " B: " << cost << " B beside, index "
                          << static_cast<double>(stats.index_bytes) / entries << " records "
                          << static_cast<double>(stats.record_bytes) / entries << " policy "
                          << static_cast<double>(stats.policy_bytes) / entries << " free "
                          << static_cast<double>(stats.free_bytes) / entries);
      sum += cost;
    }
    MESSAGE(policy.name << ", mean: " << sum / 4);
    CHECK(sum / 4 <= 64);
  }
}
