// What was invalidated by tag in a directory holds, whatever ends the process or the machine (I5).

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr int kTags = 4;

std::string TagOf(uint64_t number) { return "tag " + std::to_string(number); }

// The hard floor that counts for a tag.
uint64_t FloorOf(file::TagLog& tags, const std::string& tag) {
  uint64_t floor = 0;
  for (const TagFloor& each : tags.Since(0)) {
    if (each.tag.empty() || each.tag == tag) floor = std::max(floor, each.hard);
  }
  return floor;
}

bool Invalidate(file::TagLog& tags, const std::string& tag) {
  const TagFloor floor{.tag = tag, .hard = 1};
  tags.Invalidate(std::span(&floor, 1), 0);
  return tags.Keep().ok();
}

}  // namespace

TEST_CASE(
    "tags: floors are joined, whatever the order, and those that are given up count for all") {
  for (uint64_t seed = 0; seed < 200; seed++) {
    Random random(seed);
    TagFloors one(seed % 2 == 0 ? 100'000 : 120, 26);
    TagFloors other(100'000, 26);
    std::map<std::string, TagFloor> known;
    std::vector<TagFloor> said;
    for (uint64_t at = 0; at < 30; at++) {
      const bool soft = random.Below(2) == 0;
      const TagFloor floor{.tag = TagOf(random.Below(6)),
                           .hard = soft ? 0U : 1U,
                           .soft = soft ? 1U : 0U,
                           .at = static_cast<double>(at)};
      const uint64_t version = one.version();
      one.Invalidate(std::span(&floor, 1), 0);
      TagFloor& should = known[floor.tag];
      (soft ? should.soft : should.hard) = one.sequence();
      const std::vector<TagFloor> changed = one.Since(version);
      CHECK(!changed.empty());
      said.insert(said.end(), changed.begin(), changed.end());
    }
    while (!said.empty()) {
      const size_t at = random.Below(said.size());
      other.Join(std::span(&said[at], 1), 0);
      said[at] = said.back();
      said.pop_back();
    }
    CHECK(other.sequence() == one.sequence());
    for (const TagFloors* floors : {&one, &other}) {
      for (const auto& [tag, should] : known) {
        TagFloor counts;
        for (const TagFloor& each : floors->Since(0)) {
          if (!each.tag.empty() && each.tag != tag) continue;
          counts.hard = std::max(counts.hard, each.hard);
          counts.soft = std::max(counts.soft, each.soft);
        }
        // Where some were given up, more may be invalidated than was asked for.
        CHECK(counts.hard >= should.hard);
        CHECK(counts.soft >= should.soft);
        if (seed % 2 == 0) CHECK((counts.hard == should.hard && counts.soft == should.soft));
      }
    }
  }
}

TEST_CASE("tags: what was kept counts after a loss of power, and no number comes twice") {
  uint64_t leaps = 0;
  for (const auto durability : {file::Durability::kPower, file::Durability::kProcess}) {
    for (uint64_t seed = 0; seed < 60; seed++) {
      TempFolder folder;
      FaultEnv env(PosixEnv());
      const std::string path = folder.path() + "/s";
      Random random(seed);
      file::FileStoreOptions options;
      options.durability = durability;
      options.max_bytes = 8 * kMiB;
      // By tag: the floor that was told to be kept; and the greatest number that anything may
      // carry.
      std::map<std::string, uint64_t> kept;
      uint64_t carried = 0;
      for (int round = 0; round < 4; round++) {
        {
          Store store(env, path, options);
          REQUIRE_MESSAGE(store.ok(), "seed " << seed << ": " << store.error());
          file::TagLog& tags = store->tags();
          leaps += tags.sequence() > TagFloors::kLeap ? 1 : 0;
          for (const auto& [tag, floor] : kept) {
            CHECK_MESSAGE(FloorOf(tags, tag) >= floor, "seed " << seed << " round " << round);
          }
          // Entries that carry it are above a floor that is given from here on only if they are
          // gone.
          const uint64_t base = FloorOf(tags, "nobody's");
          CHECK_MESSAGE((tags.sequence() >= carried || base > carried), "seed " << seed);
          const uint64_t most = random.Below(seed % 7 == 0 ? 2000 : 60);
          if (random.Below(3) == 0) {
            env.Inject({.nth = random.Below(most * 2 + 1) + 1, .times = 1, .halt = true});
          }
          if (random.Below(3) == 0) {
            env.Inject({.call = random.Below(2) == 0 ? Call::kWrite : Call::kSyncData,
                        .nth = random.Below(most + 1) + 1,
                        .times = 3,
                        .error = 5});
          }
          for (uint64_t at = 0; at < most && !env.halted(); at++) {
            const std::string tag = TagOf(random.Below(kTags));
            if (Invalidate(tags, tag)) kept[tag] = tags.kept();
            CHECK(tags.kept() <= tags.sequence());
            carried = std::max(carried, tags.kept());
            CHECK(store->stats().bytes <= options.max_bytes);
          }
          env.ClearFaults();
          if (!env.halted() && random.Below(3) == 0) {
            static_cast<void>(store.Close());
          }
          if (!env.halted()) env.Halt();
        }
        constexpr PowerLoss kHow[] = {PowerLoss::kNothing, PowerLoss::kEverything,
                                      PowerLoss::kOrdered, PowerLoss::kPages,
                                      PowerLoss::kSectors, PowerLoss::kJunk};
        env.ClearFaults();
        REQUIRE(env.LosePower(random.Next(), kHow[random.Below(6)]));
        CHECK(env.open_descriptors() == 0);
      }
    }
  }
  CHECK(leaps > 0);
}
