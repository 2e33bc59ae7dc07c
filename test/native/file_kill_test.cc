// A process is killed while it writes, at whatever instant (I7). Longer: DREY_ROUNDS=300.

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr uint64_t kKeys = 64;
constexpr uint64_t kDeleted = uint64_t{1} << 62;

// What the process that dies leaves to the one that looks: versions of values, or that there is
// none.
struct Journal {
  std::atomic<uint64_t> tried[kKeys];
  std::atomic<uint64_t> acknowledged[kKeys];
  std::atomic<uint64_t> ready;
};

std::string KeyOf(uint64_t key) { return "key " + std::to_string(key); }

std::vector<uint8_t> VersionOf(uint64_t key, uint64_t version, uint64_t most_size) {
  Random random(key * 1'000'003 + version);
  return ValueOf(random.Next(), 8 + random.Below(most_size));
}

[[noreturn]] void WriteUntilKilled(const std::string& path, const file::FileStoreOptions& options,
                                   Journal& journal, uint64_t seed, uint64_t most_size) {
  Store store(PosixEnv(), path, options);
  if (!store.ok()) ::_exit(2);
  journal.ready = 1;
  Random random(seed);
  for (uint64_t version = seed * 1'000'000;; version++) {
    const uint64_t key = random.Below(kKeys);
    const bool remove = random.Below(6) == 0;
    const uint64_t said = remove ? version | kDeleted : version;
    journal.tried[key] = said;
    const uint64_t size = random.Below(12) == 0 ? most_size : 3000;
    const Wrote wrote =
        remove ? store.Delete(KeyOf(key)) : store.Set(KeyOf(key), VersionOf(key, version, size));
    if (wrote.kind == Written::kDone) journal.acknowledged[key] = said;
    if (random.Below(500) == 0) static_cast<void>(store->Checkpoint().ok());
  }
}

}  // namespace

TEST_CASE("file store: killed at any instant, it opens with all that was acknowledged") {
  const char* const wanted = std::getenv("DREY_ROUNDS");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 30;
  auto* const journal = static_cast<Journal*>(
      ::mmap(nullptr, sizeof(Journal), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  REQUIRE(journal != MAP_FAILED);
  uint64_t found = 0;
  uint64_t torn = 0;
  uint64_t warm = 0;
  uint64_t wrong = 0;
  Random random(11);
  for (const bool evicting : {false, true}) {
    TempFolder folder;
    const std::string path = folder.path() + "/s";
    file::FileStoreOptions options;
    // In one half, the bound exceeds all that is written between two looks at it.
    options.max_bytes = evicting ? 8 * kMiB : 512 * kMiB;
    constexpr uint64_t kMostSize = 200'000;
    for (uint64_t key = 0; key < kKeys; key++) {
      journal->tried[key] = kDeleted;
      journal->acknowledged[key] = kDeleted;
    }
    for (int round = 0; round < rounds / 2; round++) {
      journal->ready = 0;
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        WriteUntilKilled(path, options, *journal, static_cast<uint64_t>(round) + 1, kMostSize);
      }
      while (journal->ready == 0 && ::waitpid(child, nullptr, WNOHANG) == 0) {
        std::this_thread::yield();
      }
      REQUIRE(journal->ready == 1);
      std::this_thread::sleep_for(std::chrono::microseconds(random.Below(60'000)));
      ::kill(child, SIGKILL);
      REQUIRE(::waitpid(child, nullptr, 0) == child);

      Store store(PosixEnv(), path, options);
      REQUIRE_MESSAGE(store.ok(), store.error());
      CHECK(store->recovered().damages == 0);
      CHECK(store->recovered().doubt == 0);
      torn += store->recovered().torn_bytes > 0 ? 1 : 0;
      for (uint64_t key = 0; key < kKeys; key++) {
        const auto got = store.Get(KeyOf(key), true);
        bool right = false;
        for (const uint64_t said :
             {journal->acknowledged[key].load(), journal->tried[key].load()}) {
          if ((said & kDeleted) != 0) {
            right = right || !got;
            continue;
          }
          if (!got) {
            right = right || evicting;
            continue;
          }
          found += 1;
          right = right || got->value == VersionOf(key, said, 3000) ||
                  got->value == VersionOf(key, said, kMostSize);
        }
        wrong += right ? 0 : 1;
        CHECK_MESSAGE(right, "round " << round << ", " << KeyOf(key) << ", evicting " << evicting);
        // What is there is what counts from here on.
        const uint64_t tried = journal->tried[key];
        if (tried != journal->acknowledged[key]) {
          const bool is_tried = (tried & kDeleted) != 0
                                    ? !got
                                    : got && (got->value == VersionOf(key, tried, 3000) ||
                                              got->value == VersionOf(key, tried, kMostSize));
          if (is_tried) journal->acknowledged[key] = tried;
          journal->tried[key] = journal->acknowledged[key].load();
        }
      }
      warm += 1;
      CHECK(BlocksOf(PosixEnv(), path) <= store->stats().bytes);
      CHECK(store->stats().bytes <= options.max_bytes);
    }
  }
  MESSAGE("kills: " << rounds << ", opened warm: " << warm << ", wrong bytes: " << wrong
                    << ", entries found: " << found << ", torn tails: " << torn);
  CHECK(found > 0);
  ::munmap(journal, sizeof(Journal));
}
