// What a power loss must leave, and what it may take, case by case.

#include <doctest/doctest.h>

#include <cerrno>
#include <iterator>
#include <string>
#include <vector>

#include "io/env_posix.h"
#include "io/folder.h"
#include "support/env_fault.h"
#include "support/temp_folder.h"

using namespace drey;
using namespace drey::test;

namespace {

using Access = Env::Access;
using Missing = Folder::Missing;

constexpr PowerLoss kWays[] = {PowerLoss::kNothing, PowerLoss::kEverything, PowerLoss::kOrdered,
                               PowerLoss::kPages,   PowerLoss::kSectors,    PowerLoss::kJunk};

}  // namespace

TEST_CASE("power loss: what was synced, and its name, is there in every way") {
  for (const PowerLoss how : kWays) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
      TempFolder temp;
      FaultEnv env(PosixEnv());
      const std::vector<uint8_t> bytes(10'000, 0xab);
      {
        Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
        Result<Folder> folder = root.value().OpenFolder("folder", Missing::kMake);
        Result<File> made = folder.value().OpenFile("file", Access::kCreate);
        REQUIRE(made.ok());
        File file = made.Take();
        REQUIRE(file.WriteFull(0, bytes).ok());
        REQUIRE(file.SyncData().ok());
        REQUIRE(folder.value().Sync().ok());
        REQUIRE(root.value().Sync().ok());
        // Not synced: behind it, beside it, and its end.
        REQUIRE(file.WriteFull(bytes.size(), bytes).ok());
        REQUIRE(folder.value().OpenFile("other", Access::kCreate).ok());
        REQUIRE(root.value().OpenFolder("late", Missing::kMake).ok());
      }
      REQUIRE(env.LosePower(seed, how));
      Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
      Result<Folder> folder = root.value().OpenFolder("folder", Missing::kRefuse);
      REQUIRE(folder.ok());
      Result<File> file = folder.value().OpenFile("file", Access::kRead);
      REQUIRE(file.ok());
      std::vector<uint8_t> read(bytes.size());
      CHECK(file.value().ReadFull(0, read).ok());
      CHECK(read == bytes);
      if (how == PowerLoss::kNothing) {
        CHECK(file.value().Stat().value().size == bytes.size());
        CHECK(!folder.value().StatAt("other").ok());
        CHECK(!root.value().StatAt("late").ok());
      }
      if (how == PowerLoss::kEverything) {
        CHECK(file.value().Stat().value().size == 2 * bytes.size());
        CHECK(folder.value().StatAt("other").ok());
        CHECK(root.value().StatAt("late").ok());
      }
    }
  }
}

TEST_CASE("power loss: a file that was synced is gone with the folder that was not") {
  TempFolder temp;
  FaultEnv env(PosixEnv());
  {
    Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
    Result<Folder> folder = root.value().OpenFolder("folder", Missing::kMake);
    Result<File> made = folder.value().OpenFile("file", Access::kCreate);
    REQUIRE(made.ok());
    File file = made.Take();
    REQUIRE(file.Sync().ok());
    REQUIRE(folder.value().Sync().ok());
  }
  REQUIRE(env.LosePower(1, PowerLoss::kNothing));
  Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
  CHECK(!root.value().StatAt("folder").ok());
}

TEST_CASE("power loss: a sync that failed is not made good by one that succeeds") {
  uint64_t lost = 0;
  uint64_t kept = 0;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    TempFolder temp;
    FaultEnv env(PosixEnv());
    const std::vector<uint8_t> bytes(DiskModel::kPage, 0xab);
    {
      Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
      Result<File> made = root.value().OpenFile("file", Access::kCreate);
      REQUIRE(made.ok());
      File file = made.Take();
      REQUIRE(root.value().Sync().ok());
      REQUIRE(file.Truncate(3 * DiskModel::kPage).ok());
      REQUIRE(file.Sync().ok());
      REQUIRE(file.WriteFull(0, bytes).ok());
      REQUIRE(file.WriteFull(DiskModel::kPage, bytes).ok());
      env.Inject({.call = Call::kSyncData, .times = 1, .error = EIO});
      REQUIRE(!file.SyncData().ok());
      // The second page is written anew, and is kept whole.
      REQUIRE(file.WriteFull(DiskModel::kPage, Slice(bytes).first(1)).ok());
      REQUIRE(file.SyncData().ok());
    }
    REQUIRE(env.LosePower(seed, PowerLoss::kPages));
    Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
    Result<File> file = root.value().OpenFile("file", Access::kRead);
    REQUIRE(file.ok());
    std::vector<uint8_t> read(DiskModel::kPage);
    REQUIRE(file.value().ReadFull(0, read).ok());
    (read == bytes ? kept : lost) += 1;
    REQUIRE(file.value().ReadFull(DiskModel::kPage, read).ok());
    CHECK(read == bytes);
  }
  CHECK(lost > 0);
  CHECK(kept > 0);
}

TEST_CASE("power loss: what was there before it was looked at comes back when its end is lost") {
  TempFolder temp;
  const std::vector<uint8_t> bytes(5000, 0xcd);
  {
    Result<Folder> root = OpenFolderAt(PosixEnv(), temp.path(), Missing::kRefuse);
    Result<Folder> folder = root.value().OpenFolder("old", Missing::kMake);
    Result<File> made = folder.value().OpenFile("file", Access::kCreate);
    REQUIRE(made.ok());
    File file = made.Take();
    REQUIRE(file.WriteFull(0, bytes).ok());
  }
  FaultEnv env(PosixEnv());
  for (uint64_t seed = 1; seed <= 3; seed++) {
    {
      Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
      Result<Folder> folder = root.value().OpenFolder("old", Missing::kRefuse);
      REQUIRE(folder.value().Unlink("file").ok());
      REQUIRE(root.value().RemoveFolder("old").ok());
      CHECK(!root.value().StatAt("old").ok());
    }
    REQUIRE(env.LosePower(seed, PowerLoss::kNothing));
    Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
    Result<Folder> folder = root.value().OpenFolder("old", Missing::kRefuse);
    REQUIRE(folder.ok());
    Result<File> file = folder.value().OpenFile("file", Access::kRead);
    REQUIRE(file.ok());
    std::vector<uint8_t> read(bytes.size());
    CHECK(file.value().ReadFull(0, read).ok());
    CHECK(read == bytes);
  }
}

TEST_CASE("power loss: a file that was renamed has one of its names") {
  uint64_t seen[3] = {};
  for (uint64_t seed = 1; seed <= 60; seed++) {
    TempFolder temp;
    FaultEnv env(PosixEnv());
    {
      Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
      REQUIRE(root.value().OpenFile("a", Access::kCreate).ok());
      REQUIRE(root.value().Sync().ok());
      REQUIRE(root.value().Rename("a", "b").ok());
      REQUIRE(root.value().Rename("b", "c").ok());
    }
    REQUIRE(env.LosePower(seed, kWays[seed % std::size(kWays)]));
    Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
    int names = 0;
    for (size_t at = 0; at < 3; at++) {
      const bool there = root.value().StatAt(std::string(1, static_cast<char>('a' + at))).ok();
      seen[at] += there ? 1 : 0;
      names += there ? 1 : 0;
    }
    CHECK(names == 1);
  }
  for (const uint64_t times : seen) CHECK(times > 0);
}
