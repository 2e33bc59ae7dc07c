// What a store changes while it is open: bounds, threads, policies, durability.

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "file_fixture.h"
#include "file_store/disk_index.h"
#include "io/executor.h"

using namespace drey;
using namespace drey::test;

namespace {

constexpr uint64_t kMega = uint64_t{1} << 20;

class Step final : public Task {
 public:
  explicit Step(std::function<void()> run) : run_(std::move(run)) {}
  void Run() noexcept override { run_(); }
  void Drop() noexcept override {}

 private:
  std::function<void()> run_;
};

}  // namespace

TEST_CASE("executor: a lane gets more threads, and fewer, and loses no task") {
  Executor::Options options;
  options.lanes[Executor::kRead].queue = 100000;
  Result<std::unique_ptr<Executor>> started = Executor::Start(options);
  REQUIRE(started.ok());
  const std::unique_ptr<Executor> executor = started.Take();
  std::atomic<uint64_t> done{0};
  uint64_t given = 0;
  CHECK(executor->Resize(Executor::kRead, 0).code() == Status::Code::kInvalidArgument);
  for (const uint32_t threads : {4U, 1U, 8U, 2U, 2U, 16U, 1U, 3U}) {
    for (int task = 0; task < 200; task++) {
      std::unique_ptr<Task> work = std::make_unique<Step>([&] { done += 1; });
      REQUIRE(executor->Submit(Executor::kRead, work) == Executor::Submitted::kTaken);
      given += 1;
      if (task == 100) REQUIRE(executor->Resize(Executor::kRead, threads).ok());
    }
    while (done < given) std::this_thread::yield();
    while (executor->stats(Executor::kRead).threads > threads) std::this_thread::yield();
    CHECK(executor->stats(Executor::kRead).threads == threads);
  }
  CHECK(executor->Stop(MonotonicClock::kNever).stuck == 0);
  CHECK(executor->Resize(Executor::kRead, 2).ok());
}

TEST_CASE("disk ledger: a lower bound is come down to, and never grows on its way") {
  file::DiskLedger ledger(1000, 100, 10);
  using Use = file::DiskLedger::Use;
  REQUIRE(ledger.Take(890, Use::kOther));
  ledger.SetGoal(400, 5);
  CHECK(ledger.goal() == 400);
  uint64_t last = ledger.max();
  CHECK(last == 1000);
  while (ledger.AboveHighMark() > 0) {
    ledger.Give(20);
    CHECK(ledger.max() <= last);
    CHECK(ledger.used() + 100 <= std::max<uint64_t>(ledger.max(), 400));
    last = ledger.max();
    // The log finds its room, and what comes finds half of what went.
    CHECK(ledger.Missing(100, Use::kLog) == 0);
    if (ledger.Take(10, Use::kOther)) CHECK(ledger.used() <= ledger.max());
  }
  CHECK(ledger.max() == 400);
  ledger.SetGoal(800, 10);
  CHECK(ledger.max() == 800);
}

TEST_CASE("disk index: a smaller bound refuses, and memory comes back when it is compacted") {
  const auto index = file::DiskIndex::Create(PosixMemory(), 8 * kMega);
  REQUIRE(index != nullptr);
  CHECK(index->ceiling() == 8 * kMega * file::DiskIndex::kReach);
  const auto entry = [](uint64_t key) {
    return file::IndexEntry{.identity = key * 0x9E3779B97F4A7C15,
                            .sequence = key + 1,
                            .position = {key / 100, (key % 100) * 64},
                            .length = 64,
                            .expires = 0xFFFFFFFF,
                            .blob_units = 0,
                            .policy = static_cast<uint32_t>(key)};
  };
  file::IndexEntry before;
  uint64_t keys = 0;
  while (index->HasRoomFor(1)) {
    REQUIRE(index->PutEntry(entry(keys), &before) == file::DiskIndex::Put::kInserted);
    keys += 1;
  }
  CHECK(keys > 8 * kMega / 60);
  index->SetMax(4 * kMega);
  CHECK(index->Over());
  CHECK(!index->HasRoomFor(1));
  for (uint64_t key = 0; key < keys; key++) {
    if (key % 5 != 0) REQUIRE(index->RemoveAt(entry(key).identity, entry(key).position, &before));
  }
  index->Compact();
  CHECK(index->slack() == 0);
  CHECK(!index->Over());
  CHECK(index->HasRoomFor(1));
  for (uint64_t key = 0; key < keys; key += 5) {
    const auto found = index->Find(entry(key).identity);
    REQUIRE(found);
    CHECK(found->position == entry(key).position);
    CHECK(found->policy == static_cast<uint32_t>(key));
  }
  index->SetMax(32 * kMega);
  for (uint64_t key = keys; key < keys * 3; key++) {
    REQUIRE(index->PutEntry(entry(key), &before) == file::DiskIndex::Put::kInserted);
  }
  CHECK(index->committed() <= 32 * kMega);
}

TEST_CASE("file store: every option that can be changed is, or none is") {
  TempFolder folder;
  Store store(PosixEnv(), folder.path());
  REQUIRE(store.ok());
  file::FileTuning tuning = store->tuning();
  CHECK(tuning.max_bytes == 16 * kMega);
  CHECK(tuning.durability == file::Durability::kProcess);
  for (int key = 0; key < 100; key++) {
    REQUIRE(store.Put("key " + std::to_string(key), ValueOf(static_cast<uint64_t>(key), 50000)));
  }
  file::FileTuning wrong = tuning;
  wrong.policy = file::TurnKind::kLru;
  wrong.max_bytes = 7 * kMega;
  CHECK(store->Tune(wrong).code() == Status::Code::kInvalidArgument);
  wrong = tuning;
  wrong.policy = file::TurnKind::kLru;
  wrong.max_index_bytes = tuning.max_index_bytes * file::DiskIndex::kReach + 1;
  CHECK(std::string(store->Tune(wrong).message()).find("maxIndexBytes") == 0);
  CHECK(store->tuning().policy == file::TurnKind::kS3Fifo);

  tuning.max_bytes = 8 * kMega;
  tuning.max_item_bytes = 60000;
  tuning.policy = file::TurnKind::kSieve;
  tuning.durability = file::Durability::kPower;
  tuning.open_files = 8;
  tuning.reclaim_rate = 1 << 30;
  REQUIRE(store->Tune(tuning).ok());
  CHECK(store->stats().max_bytes == 8 * kMega);
  CHECK(store->stats().bytes <= 8 * kMega);
  CHECK(BlocksOf(PosixEnv(), folder.path()) <= 8 * kMega);
  CHECK(store.Set("large", ValueOf(1, 60001)).kind == Written::kTooLarge);
  CHECK(store->tuning().durability == file::Durability::kPower);
  for (int key = 100; key < 400; key++) {
    const std::string name = "key " + std::to_string(key);
    REQUIRE(store.Put(name, ValueOf(static_cast<uint64_t>(key), 50000)));
    CHECK(store.Has(name, ValueOf(static_cast<uint64_t>(key), 50000)));
    CHECK(store->stats().bytes <= 8 * kMega);
  }
  tuning.max_bytes = 32 * kMega;
  tuning.durability = file::Durability::kNone;
  REQUIRE(store->Tune(tuning).ok());
  CHECK(store->stats().max_bytes == 32 * kMega);
  CHECK(store.Close());
  CHECK(store->Tune(tuning).code() == Status::Code::kClosed);
}

TEST_CASE(
    "file store: what durability power promises once it is switched on, a loss of power keeps") {
  constexpr PowerLoss kHow[] = {PowerLoss::kNothing, PowerLoss::kPages, PowerLoss::kSectors,
                                PowerLoss::kJunk};
  for (uint64_t seed = 0; seed < 8; seed++) {
    FaultEnv env(PosixEnv());
    TempFolder folder;
    const auto name = [](int key) { return "key " + std::to_string(key); };
    const auto value = [](int key) {
      return ValueOf(static_cast<uint64_t>(key), key % 2 == 0 ? 5000 : 100000);
    };
    {
      Store store(env, folder.path());
      REQUIRE(store.ok());
      for (int key = 0; key < 20; key++) REQUIRE(store.Put(name(key), value(key)));
      file::FileTuning tuning = store->tuning();
      tuning.durability = file::Durability::kPower;
      REQUIRE(store->Tune(tuning).ok());
      for (int key = 20; key < 40; key++) REQUIRE(store.Put(name(key), value(key)));
      REQUIRE(store.Delete(name(20)).existed);
      if (seed % 2 == 1) {
        tuning.durability = file::Durability::kProcess;
        REQUIRE(store->Tune(tuning).ok());
        for (int key = 40; key < 50; key++) REQUIRE(store.Put(name(key), value(key)));
      }
      env.Halt();
    }
    REQUIRE(env.LosePower(seed + 1, kHow[seed / 2 % 4]));
    Store again(env, folder.path());
    REQUIRE(again.ok());
    for (int key = 21; key < 40; key++) CHECK(again.Has(name(key), value(key)));
    CHECK(!again.Get(name(20)));
    for (int key = 0; key < 50; key++) {
      const auto got = again.Get(name(key));
      if (got) CHECK(got->value == value(key));
      if (got && (key < 20 || key >= 40)) CHECK(got->doubtful);
    }
    CHECK(again.Close());
  }
}
