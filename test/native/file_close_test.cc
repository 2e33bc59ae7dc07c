// What a close leaves behind (D12, I7), and what an open clears away.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

std::string KeyOf(int number) { return "key " + std::to_string(number); }

// Of all sizes, so that some are blobs.
std::vector<uint8_t> Sized(int number) {
  return ValueOf(static_cast<uint64_t>(number), static_cast<uint64_t>(number) * 9001 + 10);
}

}  // namespace

TEST_CASE(
    "file store: after a clean close a loss of power takes nothing, and nothing is in doubt") {
  for (const auto durability :
       {file::Durability::kNone, file::Durability::kProcess, file::Durability::kPower}) {
    for (uint64_t seed = 0; seed < 8; seed++) {
      TempFolder folder;
      FaultEnv env(PosixEnv());
      const std::string path = folder.path() + "/s";
      file::FileStoreOptions options;
      options.durability = durability;
      options.max_bytes = 64 * kMiB;
      int next = 0;
      // The second owner goes on where the first has closed; the third has nothing to write.
      for (int owner = 0; owner < 3; owner++) {
        Store store(env, path, options);
        REQUIRE_MESSAGE(store.ok(), store.error());
        CHECK(store->recovered().clean);
        for (int at = 0; at < 20 && owner < 2; at++, next++) {
          REQUIRE(store.Put(KeyOf(next), Sized(next)));
        }
        REQUIRE(store.Close());
      }
      const bool unclean = seed % 4 == 3;
      if (unclean) {
        Store store(env, path, options);
        REQUIRE(store.ok());
        REQUIRE(store.Put("late", Sized(20)));
        env.Halt();
      }
      if (!env.halted()) env.Halt();
      constexpr PowerLoss kHow[] = {PowerLoss::kNothing, PowerLoss::kPages, PowerLoss::kSectors,
                                    PowerLoss::kJunk};
      REQUIRE(env.LosePower(seed + 1, kHow[seed % 4]));
      Store again(env, path, options);
      REQUIRE_MESSAGE(again.ok(), again.error());
      const bool doubt = unclean && durability != file::Durability::kPower;
      CHECK((again->recovered().doubt != 0) == doubt);
      for (int at = 0; at < next; at++) {
        const auto got = again.Get(KeyOf(at), true);
        REQUIRE_MESSAGE(got.has_value(), "seed " << seed << ", " << KeyOf(at));
        CHECK(got->value == Sized(at));
        CHECK(got->doubtful == doubt);
      }
    }
  }
}

TEST_CASE("file store: a close that cannot have blobs written out leaves all in doubt") {
  TempFolder folder;
  FaultEnv env(PosixEnv());
  const std::string path = folder.path() + "/s";
  file::FileStoreOptions options;
  options.max_bytes = 64 * kMiB;
  for (const bool late : {false, true}) {
    {
      Store store(env, path, options);
      REQUIRE(store.ok());
      REQUIRE(store.Put("blob", ValueOf(1, 300'000)));
      if (!late) env.Inject({.call = Call::kSyncData, .nth = 1, .times = 1, .error = EIO});
      // A close without any patience is clean all the same, as far as the process goes.
      CHECK(store->Close(std::chrono::milliseconds(late ? 0 : 10'000)).ok());
      env.ClearFaults();
    }
    env.Halt();
    REQUIRE(env.LosePower(3, PowerLoss::kEverything));
    Store again(env, path, options);
    REQUIRE(again.ok());
    CHECK(again->recovered().doubt != 0);
    CHECK(again.Get("blob", true)->doubtful);
    REQUIRE(again.Close());
  }
}

TEST_CASE("file store: a close waits for what the store writes by its own doing") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  Result<std::unique_ptr<Executor>> started = Executor::Start(
      {.lanes = {Executor::LaneOptions{.threads = 1}, Executor::LaneOptions{.threads = 1},
                 Executor::LaneOptions{.threads = 1}}});
  REQUIRE(started.ok());
  const std::unique_ptr<Executor> executor = started.Take();
  for (int round = 0; round < 20; round++) {
    file::ExecutorWorkers workers(*executor);
    file::FileStoreOptions options;
    options.dir = path;
    options.max_bytes = 16 * kMiB;
    options.segment_bytes = kMiB;
    options.max_index_bytes = 16 * kMiB;
    options.env = &PosixEnv();
    options.workers = &workers;
    Result<std::shared_ptr<file::FileStore>> opened = file::FileStore::Open(options);
    REQUIRE(opened.ok());
    std::shared_ptr<file::FileStore> store = opened.Take();
    for (int at = 0; at < 30; at++) {
      const auto value = ValueOf(static_cast<uint64_t>(at), 2000);
      store->Set(SliceOf(KeyOf(at)), MetadataOf(), value.size(), ChunksOf(value),
                 [](file::WriteOutcome outcome) { CHECK(outcome.kind == Written::kDone); });
    }
    store->Flush([](file::WriteOutcome) {});
    std::vector<uint8_t> into(4096);
    file::Opened found;
    // What is said to be damaged is forgotten, with deletes that nobody waits for.
    for (int at = 0; at < 30; at++) {
      if (store->FindWaiting(SliceOf(KeyOf(at)), true, into, &found) != file::Find::kFound)
        continue;
      store->DropDamaged(SliceOf(KeyOf(at)), found.position);
    }
    CHECK(store->Close().ok());
  }
  executor->Stop(MonotonicClock::kNever);
  Store again(PosixEnv(), path);
  REQUIRE(again.ok());
  CHECK(again->recovered().clean);
}

TEST_CASE("file store: sockets that were never published are removed when they are old") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  {
    Store store(PosixEnv(), path);
    REQUIRE(store.ok());
    REQUIRE(store.Close());
  }
  const std::string lock = path + "/LOCK/";
  const auto make = [&](const std::string& name, int64_t age) {
    const std::string made = lock + name;
    const int file = ::open(made.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    REQUIRE(file >= 0);
    const int64_t then = static_cast<int64_t>(PosixEnv().EpochMilliseconds() / 1000) - age;
    const timespec times[2] = {{.tv_sec = then, .tv_nsec = 0}, {.tv_sec = then, .tv_nsec = 0}};
    REQUIRE(::futimens(file, times) == 0);
    ::close(file);
  };
  make("0123456789abcdef.new", 120);
  make("fedcba9876543210.new", 5);
  // Nobody's.
  make("notes.new", 120);
  Store store(PosixEnv(), path);
  REQUIRE_MESSAGE(store.ok(), store.error());
  CHECK(::access((lock + "0123456789abcdef.new").c_str(), F_OK) != 0);
  CHECK(::access((lock + "fedcba9876543210.new").c_str(), F_OK) == 0);
  CHECK(::access((lock + "notes.new").c_str(), F_OK) == 0);
}

TEST_CASE("file store: an open says how many bytes of the log are damaged") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  uint64_t from = 0;
  uint64_t to = 0;
  {
    Store store(PosixEnv(), path);
    REQUIRE(store.ok());
    for (int at = 0; at < 10; at++) REQUIRE(store.Put(KeyOf(at), ValueOf(1, 2000)));
    from = store.Get(KeyOf(4))->position.offset;
    to = store.Get(KeyOf(6))->position.offset;
  }
  std::fstream log(path + "/log/0000000000000001.seg",
                   std::ios::in | std::ios::out | std::ios::binary);
  for (const uint64_t at : {from, from + (to - from) / 2}) {
    log.seekp(static_cast<std::streamoff>(at + 4));
    log.put('x');
  }
  log.close();
  Store again(PosixEnv(), path);
  REQUIRE_MESSAGE(again.ok(), again.error());
  CHECK(again->recovered().damaged_bytes == to - from);
  CHECK(again->recovered().damages > 0);
}
