// The twin that goes wrong as it is told, and what the helpers make of that.

#include <doctest/doctest.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "io/env_posix.h"
#include "io/folder.h"
#include "support/env_fault.h"
#include "support/random.h"
#include "support/temp_folder.h"

using namespace drey;
using namespace drey::test;

namespace {

using Access = Env::Access;
using Code = Status::Code;
using Missing = Folder::Missing;

std::vector<uint8_t> Bytes(size_t size, uint64_t seed) {
  std::vector<uint8_t> bytes(size);
  Random random(seed);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next() >> 24);
  return bytes;
}

#define TRY(...) \
  if (Status tried = (__VA_ARGS__); !tried.ok()) return tried

template <class T>
Status Keep(Result<T> result, T* to) {
  if (!result.ok()) return result.TakeStatus();
  *to = result.Take();
  return {};
}

// Every call of the seam, at least once; stops at the first that fails.
Status Workload(Env& env, const std::string& path) {
  Folder root;
  TRY(Keep(OpenFolderAt(env, path + "/a/b", Missing::kMake), &root));
  VolumeInfo volume;
  TRY(Keep(root.StatVolume(), &volume));
  BootId boot;
  if (const Outcome known = env.Boot(&boot); !known.ok()) {
    return Status::Failed(Code::kIo, "boot", known.error());
  }
  std::vector<uint8_t> seed(16);
  if (const Outcome got = env.Entropy(seed); !got.ok()) {
    return Status::Failed(Code::kIo, "entropy", got.error());
  }
  {
    const auto socket = [&](const Outcome& made, File* to) -> Status {
      if (!made.ok()) return Status::Failed(Code::kIo, "socket", made.error());
      *to = File(env, static_cast<int>(made.value()), "socket");
      return {};
    };
    const auto check = [](const Outcome& outcome) {
      return outcome.ok() ? Status() : Status::Failed(Code::kIo, "lock", outcome.error());
    };
    File owner;
    TRY(socket(env.Socket(), &owner));
    TRY(check(env.Bind(owner.descriptor(), root.descriptor(), "LOCK")));
    TRY(check(env.Listen(owner.descriptor(), 4)));
    File other;
    TRY(socket(env.Socket(), &other));
    TRY(check(env.Connect(other.descriptor(), root.descriptor(), "LOCK")));
    TRY(check(env.PeerProcess(other.descriptor())));
    File accepted;
    Awaited awaited[] = {{.socket = owner.descriptor()}};
    TRY(check(env.Await(awaited, 10'000)));
    TRY(socket(env.Accept(owner.descriptor()), &accepted));
    TRY(check(env.Send(accepted.descriptor(), SliceOf("owner"))));
    TRY(check(env.Receive(other.descriptor(), seed)));
    TRY(root.Unlink("LOCK"));
  }
  Folder log;
  TRY(Keep(root.OpenFolder("log", Missing::kMake), &log));
  File file;
  TRY(Keep(log.OpenFile("1", Access::kCreate), &file));
  bool can = false;
  TRY(Keep(file.Allocate(0, 100'000, Env::Allocation::kKeepSize), &can));
  const std::vector<uint8_t> bytes = Bytes(30'000, 1);
  const Slice slices[] = {Slice(bytes).first(1), Slice(bytes).subspan(1)};
  TRY(file.WriteFull(0, slices));
  file.StartWriteback(0, 0);
  TRY(file.SyncData());
  TRY(file.Sync());
  TRY(log.Sync());
  TRY(file.Close());
  TRY(log.Rename("1", "3"));
  TRY(log.Link("3", "2"));
  TRY(log.Unlink("3"));
  TRY(Keep(log.OpenFile("2", Access::kReadWrite), &file));
  file.Advise(0, 0, Env::Advice::kSequential);
  NodeInfo info;
  TRY(Keep(file.Stat(), &info));
  std::vector<uint8_t> read(bytes.size());
  // From the cache, or else by waiting.
  if (file.ReadCached(0, read) != File::Cached::kDone) TRY(file.ReadFull(0, read));
  if (read != bytes) return Status::Failed(Code::kCorrupt, "other bytes than were written");
  TRY(file.ReadFull(100, std::span(read).first(100)));
  TRY(Keep(file.Punch(0, 8192), &can));
  TRY(file.Truncate(100));
  TRY(file.Close());
  TRY(Keep(log.StatAt("2"), &info));
  size_t seen = 0;
  TRY(log.List([&](const Listed&) { return ++seen > 0; }));
  if (seen != 1) return Status::Failed(Code::kCorrupt, "other files than were made");
  TRY(log.Unlink("2"));
  TRY(root.RemoveFolder("log"));
  return root.Close();
}

}  // namespace

TEST_CASE("faults: each call of a workload fails once, is told, and leaves nothing open") {
  FaultEnv counting(PosixEnv());
  uint64_t calls = 0;
  {
    TempFolder temp;
    counting.Record();
    const Status done = Workload(counting, temp.path());
    CHECK_MESSAGE(done.ok(), done.message());
    calls = counting.calls();
  }
  CHECK(counting.journal().size() == calls);
  for (size_t call = 0; call < kCalls; call++) {
    CAPTURE(std::string(NameOf(static_cast<Call>(call))));
    CHECK(counting.calls(static_cast<Call>(call)) > 0);
  }
  const int open_before = OpenDescriptors();
  for (const int error : {EIO, ENOSPC, EDQUOT, EMFILE, EROFS, EACCES}) {
    for (uint64_t nth = 1; nth <= calls; nth++) {
      TempFolder temp;
      FaultEnv env(PosixEnv());
      env.Record();
      env.Inject({.nth = nth, .times = 1, .error = error});
      const Status done = Workload(env, temp.path());
      const FaultEnv::Called hit = env.journal()[nth - 1];
      CAPTURE(std::string(NameOf(hit.call)));
      CAPTURE(hit.path);
      CAPTURE(error);
      // Hints, the cache, and what the owner need not know: without them it goes on.
      const bool goes_on = hit.call == Call::kAdvise || hit.call == Call::kStartWriteback ||
                           hit.call == Call::kReadCached || (hit.call == Call::kClose && done.ok());
      if (!goes_on) CHECK(done.error() == error);
      if (goes_on) CHECK_MESSAGE(done.ok(), done.message());
      CHECK(env.open_descriptors() == 0);
      CHECK(OpenDescriptors() == open_before);
      env.ClearFaults();
      TempFolder fresh;
      CHECK(Workload(env, fresh.path()).ok());
    }
  }
}

TEST_CASE("faults: what is interrupted or short is gone on with, and nothing is lost") {
  TempFolder temp;
  FaultEnv env(PosixEnv());
  for (const uint64_t at_most : {1, 7, 4096}) {
    Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
    REQUIRE(root.ok());
    const std::string name = std::to_string(at_most);
    Result<File> made = root.value().OpenFile(name, Access::kCreate);
    REQUIRE(made.ok());
    File file = made.Take();
    const uint64_t written = env.calls(Call::kWrite);
    env.Inject({.path = name, .at_most = at_most});
    const std::vector<uint8_t> bytes = Bytes(3000, at_most);
    std::vector<Slice> slices;
    for (size_t at = 0; at < 3000; at += 30) slices.push_back(Slice(bytes).subspan(at, 30));
    REQUIRE(file.WriteFull(5, slices).ok());
    CHECK(env.calls(Call::kWrite) - written == (at_most < 3000 ? 2999 / at_most + 1 : 2));
    std::vector<uint8_t> read(bytes.size());
    CHECK(file.ReadFull(5, read).ok());
    CHECK(read == bytes);
    CHECK(file.ReadCached(5, read) !=
          (at_most < bytes.size() ? File::Cached::kDone : File::Cached::kWouldBlock));
    env.ClearFaults();
  }
  // Every other call is interrupted.
  for (const Call call : {Call::kRead, Call::kWrite, Call::kOpenFile, Call::kOpenFolder,
                          Call::kSync, Call::kTruncate, Call::kAllocate}) {
    for (uint64_t nth = 1; nth < 8; nth += 2) {
      env.Inject({.call = call, .nth = nth, .times = 1, .error = EINTR});
    }
  }
  TempFolder again;
  const Status done = Workload(env, again.path());
  CHECK_MESSAGE(done.ok(), done.message());
}

TEST_CASE("faults: a write that takes nothing fails, and is not tried for ever") {
  TempFolder temp;
  FaultEnv env(PosixEnv());
  Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
  Result<File> made = root.value().OpenFile("file", Access::kCreate);
  REQUIRE(made.ok());
  File file = made.Take();
  env.Inject({.call = Call::kWrite, .nth = 2, .at_most = 0});
  env.Inject({.call = Call::kWrite, .at_most = 10});
  CHECK(file.WriteFull(0, Bytes(100, 1)).code() == Code::kIo);
  CHECK(file.Stat().value().size == 10);
  env.ClearFaults();
  env.Inject({.call = Call::kWrite, .nth = 2, .error = ENOSPC});
  env.Inject({.call = Call::kWrite, .nth = 1, .times = 1, .at_most = 10});
  CHECK(file.WriteFull(0, Bytes(100, 2)).code() == Code::kNoSpace);
}

TEST_CASE("faults: a file that cannot be read from the cache is not asked again") {
  TempFolder temp;
  FaultEnv env(PosixEnv());
  Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
  Result<File> made = root.value().OpenFile("file", Access::kCreate);
  REQUIRE(made.ok());
  File file = made.Take();
  REQUIRE(file.WriteFull(0, Bytes(100, 1)).ok());
  std::vector<uint8_t> read(100);
  env.Inject({.call = Call::kReadCached, .times = 1, .error = EIO});
  CHECK(file.ReadCached(0, read) == File::Cached::kFailed);
  env.Inject({.call = Call::kReadCached, .times = 1, .error = EAGAIN});
  CHECK(file.ReadCached(0, read) == File::Cached::kWouldBlock);
  env.Inject({.call = Call::kReadCached, .times = 1, .error = EOPNOTSUPP});
  CHECK(file.ReadCached(0, read) == File::Cached::kUnsupported);
  const uint64_t asked = env.calls(Call::kReadCached);
  CHECK(file.ReadCached(0, read) == File::Cached::kUnsupported);
  CHECK(env.calls(Call::kReadCached) == asked);
}

TEST_CASE("faults: a call that hangs holds up nobody else") {
  TempFolder temp;
  FaultEnv env(PosixEnv());
  Result<Folder> root = OpenFolderAt(env, temp.path(), Missing::kRefuse);
  Result<File> made = root.value().OpenFile("file", Access::kCreate);
  REQUIRE(made.ok());
  File file = made.Take();
  REQUIRE(file.WriteFull(0, Bytes(100, 1)).ok());
  std::atomic<bool> hangs = false;
  std::atomic<bool> free = false;
  env.Inject({.call = Call::kRead, .times = 1, .before = [&] {
                hangs = true;
                hangs.notify_all();
                free.wait(false);
              }});
  Status status;
  std::thread stuck([&] {
    std::vector<uint8_t> read(100);
    status = file.ReadFull(0, read);
  });
  hangs.wait(false);
  CHECK(file.WriteFull(0, Bytes(100, 2)).ok());
  CHECK(file.Sync().ok());
  free = true;
  free.notify_all();
  stuck.join();
  CHECK(status.ok());
}

TEST_CASE("faults: halted, nothing changes the disk any more, and everything can be closed") {
  FaultEnv counting(PosixEnv());
  {
    TempFolder temp;
    REQUIRE(Workload(counting, temp.path()).ok());
  }
  for (uint64_t nth = 1; nth <= counting.calls(); nth++) {
    TempFolder temp;
    FaultEnv env(PosixEnv());
    env.Record();
    env.Inject({.nth = nth, .times = 1, .halt = true});
    const Status done = Workload(env, temp.path());
    // Closing works still, and at the end there is nothing else.
    CHECK((!done.ok() || env.journal()[nth - 1].call == Call::kClose));
    CHECK(env.halted());
    CHECK(env.open_descriptors() == 0);
    BootId before;
    BootId after;
    CHECK(env.Boot(&before).error() == EIO);
    REQUIRE(PosixEnv().Boot(&before).ok());
    REQUIRE(env.LosePower(nth, PowerLoss::kSectors));
    CHECK(!env.halted());
    REQUIRE(env.Boot(&after).ok());
    CHECK(!(before == after));
    env.ClearFaults();
    TempFolder fresh;
    CHECK(Workload(env, fresh.path()).ok());
  }
}
