// Ends of every kind: the process dies, the machine loses power, a disk says no. What is found
// afterwards was written; what was promised is there (I7).

#include <cerrno>
#include <set>

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

// What may be found under a key.
struct Known {
  // What was acknowledged last; nothing after a delete.
  std::optional<std::vector<uint8_t>> last;
  // What was tried since, and may have got there or not.
  std::vector<std::optional<std::vector<uint8_t>>> tried;
  // All that it ever had.
  std::set<std::vector<uint8_t>> ever;

  bool MayBe(const std::optional<std::vector<uint8_t>>& value) const {
    return value == last || std::find(tried.begin(), tried.end(), value) != tried.end();
  }
};

using Model = std::map<std::string, Known>;

void Write(Store& store, Random& random, Model& model, uint64_t most_size) {
  const std::string key = "key " + std::to_string(random.Below(40));
  Known& known = model[key];
  std::optional<std::vector<uint8_t>> value;
  Wrote wrote;
  if (random.Below(5) == 0) {
    wrote = store.Delete(key);
  } else {
    const uint64_t size = random.Below(10) == 0 ? random.Below(most_size) : random.Below(3000);
    value = ValueOf(random.Next(), size);
    known.ever.insert(*value);
    wrote = store.Set(key, *value);
  }
  if (wrote.kind == Written::kDone) {
    known.last = value;
    known.tried.clear();
  } else {
    known.tried.push_back(value);
  }
}

}  // namespace

TEST_CASE("file store: after a loss of power nothing is wrong, and what was promised is there") {
  for (const auto durability : {file::Durability::kPower, file::Durability::kProcess}) {
    const bool promised = durability == file::Durability::kPower;
    uint64_t found = 0;
    uint64_t doubtful = 0;
    uint64_t damages = 0;
    uint64_t torn = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
      // In a third, room has to be made all the time.
      const bool evicting = seed % 3 == 2;
      TempFolder folder;
      FaultEnv env(PosixEnv());
      const std::string path = folder.path() + "/s";
      Random random(seed * 2 + (promised ? 1 : 0));
      Model model;
      file::FileStoreOptions options;
      options.durability = durability;
      options.max_bytes = evicting ? 8 * kMiB : 64 * kMiB;
      for (int round = 0; round < 3; round++) {
        {
          Store store(env, path, options);
          REQUIRE_MESSAGE(store.ok(), "seed " << seed << ": " << store.error());
          damages += store->recovered().damages;
          torn += store->recovered().torn_bytes > 0 ? 1 : 0;
          for (auto& [key, known] : model) {
            const auto got = store.Get(key, true);
            const std::optional<std::vector<uint8_t>> value =
                got ? std::optional(got->value) : std::nullopt;
            found += got ? 1 : 0;
            doubtful += got && got->doubtful ? 1 : 0;
            if (promised) {
              CHECK_MESSAGE((known.MayBe(value) || (evicting && !got)),
                            "seed " << seed << " round " << round << " " << key);
              CHECK((!got || !got->doubtful));
            } else if (got) {
              // An older one may be back: nobody serves it without asking.
              CHECK(known.ever.contains(got->value));
              CHECK(got->doubtful);
            }
            known.last = value;
            known.tried.clear();
          }
          // The machine stops in the middle of something.
          const bool midway = random.Below(2) == 0;
          const uint64_t operations = (evicting ? 200 : 10) + random.Below(60);
          if (midway) {
            env.Inject({.nth = random.Below(operations * 4) + 1, .times = 1, .halt = true});
          }
          for (uint64_t at = 0; at < operations && !env.halted(); at++) {
            Write(store, random, model, 200'000);
            if (random.Below(40) == 0) static_cast<void>(store->Checkpoint().ok());
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
    MESSAGE("losses of power, " << std::string(promised ? "power" : "process") << ": " << found
                                << " found, " << doubtful << " in doubt, " << damages
                                << " damages, " << torn << " torn tails");
    CHECK(found > 0);
    CHECK((doubtful > 0) == !promised);
  }
}

TEST_CASE("file store: each call of the system failing once, at each place, does no harm") {
  struct Failing {
    Call call;
    int error;
  };
  for (const Failing& failing :
       {Failing{Call::kWrite, EIO}, Failing{Call::kWrite, ENOSPC}, Failing{Call::kOpenFile, EMFILE},
        Failing{Call::kOpenFile, EROFS}, Failing{Call::kRead, EIO}, Failing{Call::kSyncData, EIO},
        Failing{Call::kSync, EIO}, Failing{Call::kSyncFolder, EIO}, Failing{Call::kUnlink, EIO},
        Failing{Call::kTruncate, EIO}, Failing{Call::kAllocate, ENOSPC},
        Failing{Call::kAllocate, EOPNOTSUPP}, Failing{Call::kStat, EIO},
        Failing{Call::kStatAt, EIO}, Failing{Call::kList, EIO}, Failing{Call::kOpenFolder, EACCES},
        Failing{Call::kLink, EIO}, Failing{Call::kEntropy, EIO}}) {
    uint64_t hit = 0;
    for (uint64_t nth = 1; nth < 400; nth += nth < 40 ? 1 : 13) {
      TempFolder folder;
      FaultEnv env(PosixEnv());
      const std::string path = folder.path() + "/s";
      Random random(5);
      Model model;
      file::FileStoreOptions options;
      options.durability = nth % 2 == 0 ? file::Durability::kPower : file::Durability::kProcess;
      options.max_bytes = 10 * kMiB;
      const uint64_t before = env.calls(failing.call);
      env.Inject({.call = failing.call, .nth = nth, .times = 1, .error = failing.error});
      const std::string where = std::string(NameOf(failing.call)) + " " + std::to_string(nth);
      for (int round = 0; round < 2; round++) {
        Store store(env, path, options);
        // Refused, and said so; once more it opens.
        if (!store.ok()) {
          CHECK(store.error() != "");
          continue;
        }
        for (auto& [key, known] : model) {
          const auto got = store.Get(key, true);
          CHECK_MESSAGE((!got || known.ever.contains(got->value)), where << " " << key);
        }
        for (int at = 0; at < 40; at++) Write(store, random, model, 600'000);
        for (auto& [key, known] : model) {
          const auto got = store.Get(key, true);
          if (got) CHECK_MESSAGE(known.MayBe(got->value), where << " " << key);
        }
        CHECK_MESSAGE(BlocksOf(PosixEnv(), path) <= store->stats().bytes, where);
        CHECK_MESSAGE(store->stats().most_bytes <= options.max_bytes, where);
        if (round == 1) static_cast<void>(store.Close());
      }
      const bool reached = env.calls(failing.call) - before >= nth;
      hit += reached ? 1 : 0;
      env.ClearFaults();
      CHECK_MESSAGE(env.open_descriptors() == 0, where);
      // Usable after.
      Store store(env, path, options);
      REQUIRE_MESSAGE(store.ok(), where << ": " << store.error());
      for (auto& [key, known] : model) {
        const auto got = store.Get(key, true);
        if (got) CHECK_MESSAGE(known.ever.contains(got->value), where << " " << key);
      }
      CHECK(store.Put("after", ValueOf(1, 100)));
      CHECK(store.Has("after", ValueOf(1, 100)));
      CHECK(store.Close());
      if (!reached) break;
    }
    CHECK_MESSAGE(hit > 0, NameOf(failing.call));
  }
}
