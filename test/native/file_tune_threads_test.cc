// Options of a file store that are changed, and tags that are invalidated, while threads use it.
// Run it under TSAN, too, and for longer: DREY_SECONDS=60 make tsan.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr uint64_t kKeys = 500;
constexpr uint64_t kTags = 8;

std::string NameOf(uint64_t key) { return "key " + std::to_string(key); }
std::string TagOf(uint64_t tag) { return "tag " + std::to_string(tag); }

// Sets a value and waits until it is written, or is not.
Written SetAndWait(file::FileStore& store, uint64_t key, const std::vector<uint8_t>& value) {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Written> kind;
  store.Set(SliceOf(NameOf(key)), MetadataOf(), value.size(), ChunksOf(value),
            [&](file::WriteOutcome outcome) {
              const std::lock_guard lock(mutex);
              kind = outcome.kind;
              changed.notify_all();
            });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return kind.has_value(); });
  return *kind;
}

// What a key has, of one of the two that it is given; nothing where it was evicted.
bool IsRight(file::FileStore& store, uint64_t key, std::vector<uint8_t>& into) {
  file::Opened opened;
  file::Find found = store.FindNow(SliceOf(NameOf(key)), false, into, &opened);
  if (found == file::Find::kWait) {
    found = store.FindWaiting(SliceOf(NameOf(key)), false, into, &opened);
  }
  if (found != file::Find::kFound) return true;
  const std::vector<uint8_t> value(opened.data.begin(), opened.data.end());
  return value == ValueOf(key, 15000) || value == ValueOf(key + kKeys, 40000);
}

}  // namespace

TEST_CASE("file store: options change and tags are invalidated under threads that use it") {
  const char* const seconds = std::getenv("DREY_SECONDS");
  const double wanted = seconds != nullptr ? std::atof(seconds) : 2;
  TempFolder folder;
  Result<std::unique_ptr<Executor>> started = Executor::Start(
      {.lanes = {Executor::LaneOptions{.threads = 2}, Executor::LaneOptions{.threads = 2},
                 Executor::LaneOptions{.threads = 1}}});
  REQUIRE(started.ok());
  const std::unique_ptr<Executor> executor = started.Take();
  file::ExecutorWorkers workers(*executor);
  file::FileStoreOptions options;
  options.dir = folder.path() + "/s";
  options.max_bytes = 16 * kMiB;
  options.segment_bytes = kMiB;
  options.max_index_bytes = 16 * kMiB;
  options.open_files = 8;
  options.env = &PosixEnv();
  options.workers = &workers;
  Result<std::shared_ptr<file::FileStore>> opened = file::FileStore::Open(options);
  REQUIRE_MESSAGE(opened.ok(), opened.status().message());
  std::shared_ptr<file::FileStore> store = opened.Take();
  const auto until = std::chrono::steady_clock::now() +
                     std::chrono::milliseconds(static_cast<int64_t>(wanted * 1000));
  const auto over = [&] { return std::chrono::steady_clock::now() >= until; };
  std::atomic<uint64_t> wrong = 0;
  std::atomic<uint64_t> failed = 0;
  std::atomic<uint64_t> invalidations = 0;
  std::atomic<uint64_t> tunings = 0;
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 2; number++) {
    threads.emplace_back([&, number] {
      Random random(number + 1);
      std::vector<uint8_t> into(64 * 1024);
      while (!over()) {
        const uint64_t key = random.Below(kKeys);
        if (random.Below(2) == 0) {
          const bool large = random.Below(2) == 0;
          const auto value = large ? ValueOf(key + kKeys, 40000) : ValueOf(key, 15000);
          // What is larger than maxItemBytes was, for a moment, is refused; nothing fails.
          const Written kind = SetAndWait(*store, key, value);
          if (kind != Written::kDone && kind != Written::kTooLarge) failed += 1;
        } else if (!IsRight(*store, key, into)) {
          wrong += 1;
        }
      }
    });
  }
  // Each makes numbers that rise, and what another one has seen stays.
  for (uint64_t number = 0; number < 2; number++) {
    threads.emplace_back([&, number] {
      Random random(number + 11);
      uint64_t version = 0;
      uint64_t before = 0;
      while (!over()) {
        const TagFloor floor{.tag = TagOf(random.Below(kTags)),
                             .hard = number,
                             .soft = 1 - number,
                             .at = static_cast<double>(before)};
        store->tags().Invalidate(std::span(&floor, 1), before);
        invalidations += 1;
        if (store->tags().sequence() <= before) wrong += 1;
        before = store->tags().sequence();
        if (store->tags().Since(version).empty()) wrong += 1;
        version = store->tags().version();
        if (!store->tags().Keep().ok()) failed += 1;
        if (store->tags().kept() < before) wrong += 1;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
  }
  Random random(99);
  constexpr file::TurnKind kKinds[] = {file::TurnKind::kFifo, file::TurnKind::kLru,
                                       file::TurnKind::kSieve, file::TurnKind::kS3Fifo};
  constexpr file::Durability kDurabilities[] = {file::Durability::kNone, file::Durability::kProcess,
                                                file::Durability::kPower};
  while (!over()) {
    file::FileTuning tuning = store->tuning();
    tuning.max_bytes = (8 + random.Below(17)) * kMiB;
    tuning.max_item_bytes = 20000 + random.Below(100000);
    tuning.max_index_bytes = (8 + random.Below(17)) * kMiB;
    tuning.policy = kKinds[random.Below(4)];
    tuning.durability = kDurabilities[random.Below(3)];
    tuning.open_files = static_cast<uint32_t>(8 + random.Below(20));
    tuning.reclaim_rate = random.Below(2) == 0 ? 0 : 64 * kMiB;
    const Status tuned = store->Tune(tuning);
    CHECK_MESSAGE(tuned.ok(), tuned.message());
    CHECK(store->tuning().policy == tuning.policy);
    CHECK(store->tuning().max_item_bytes == tuning.max_item_bytes);
    tunings += 1;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(failed == 0);
  const auto stats = store->stats();
  MESSAGE(tunings.load() << " changes, " << invalidations.load() << " invalidations, "
                         << stats.evictions << " evictions");
  CHECK(stats.bytes <= stats.max_bytes);
  CHECK(stats.corrupt == 0);
  CHECK(stats.read_errors == 0);
  const uint64_t sequence = store->tags().sequence();
  const Status closed = store->Close();
  CHECK_MESSAGE(closed.ok(), closed.message());
  const uint64_t entries = store->stats().entries;
  store.reset();
  executor->Stop(MonotonicClock::kNever);
  // More than any bound that it had.
  options.max_bytes = 32 * kMiB;
  Store again(PosixEnv(), options.dir, options);
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again->recovered().clean);
  CHECK(again->stats().entries == entries);
  CHECK(again->tags().sequence() >= sequence);
}
