// The system's own calls: what each gives, and what it refuses.

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "io/env_posix.h"
#include "io/folder.h"
#include "support/temp_folder.h"

using namespace drey;
using namespace drey::test;

namespace {

using Code = Status::Code;
using Access = Env::Access;
using Missing = Folder::Missing;

Folder Root(const TempFolder& temp) {
  Result<Folder> opened = OpenFolderAt(PosixEnv(), temp.path(), Missing::kRefuse);
  REQUIRE(opened.ok());
  return opened.Take();
}

File Create(const Folder& folder, const std::string& name) {
  Result<File> made = folder.OpenFile(name, Access::kCreate);
  REQUIRE(made.ok());
  return made.Take();
}

std::vector<uint8_t> Bytes(size_t size, uint8_t first = 1) {
  std::vector<uint8_t> bytes(size);
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

}  // namespace

TEST_CASE("env: files and folders are their owner's alone, and closed in other programs") {
  TempFolder temp;
  const Folder root = Root(temp);
  const mode_t before = ::umask(0);
  const File file = Create(root, "file");
  const Result<Folder> folder = root.OpenFolder("folder", Missing::kMake);
  ::umask(before);
  REQUIRE(folder.ok());
  CHECK(file.Stat().value().mode == 0600);
  CHECK(file.Stat().value().kind == NodeKind::kFile);
  CHECK(folder.value().Stat().value().mode == 0700);
  CHECK(folder.value().Stat().value().kind == NodeKind::kFolder);
  CHECK((::fcntl(file.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((::fcntl(folder.value().descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(root.OpenFile("file", Access::kCreate).status().code() == Code::kExists);
  CHECK(root.OpenFolder("folder", Missing::kMake).ok());
}

TEST_CASE("env: no link is followed, and nothing is taken for what it is not") {
  TempFolder temp;
  const Folder root = Root(temp);
  static_cast<void>(Create(root, "file"));
  REQUIRE(root.OpenFolder("folder", Missing::kMake).ok());
  REQUIRE(::symlink("file", (temp.path() + "/link").c_str()) == 0);
  REQUIRE(::symlink("folder", (temp.path() + "/way").c_str()) == 0);
  REQUIRE(::symlink("nowhere", (temp.path() + "/lost").c_str()) == 0);
  REQUIRE(::mkfifo((temp.path() + "/pipe").c_str(), 0600) == 0);

  for (const Access access : {Access::kRead, Access::kReadWrite}) {
    CHECK(root.OpenFile("link", access).status().code() == Code::kWrongKind);
  }
  CHECK(root.OpenFile("lost", Access::kCreate).status().code() == Code::kExists);
  CHECK(root.OpenFile("folder", Access::kReadWrite).status().code() == Code::kWrongKind);
  for (const Missing missing : {Missing::kRefuse, Missing::kMake}) {
    CHECK(root.OpenFolder("way", missing).status().code() == Code::kWrongKind);
    CHECK(root.OpenFolder("file", missing).status().code() == Code::kWrongKind);
    CHECK(root.OpenFolder("lost", missing).status().code() == Code::kWrongKind);
    for (const char* end : {"/way", "/way/", "/way/.", "/way/./", "/way//", "/file"}) {
      CHECK(OpenFolderAt(PosixEnv(), temp.path() + end, missing).status().code() ==
            Code::kWrongKind);
    }
  }
  // A link above is the operator's own.
  CHECK(OpenFolderAt(PosixEnv(), temp.path() + "/way/new/newer", Missing::kMake).ok());
  CHECK(root.OpenFolder("folder", Missing::kRefuse).value().StatAt("new").ok());
  // Nobody has the other end of the pipe: who waited for it would wait for ever.
  const Result<File> pipe = root.OpenFile("pipe", Access::kRead);
  std::vector<uint8_t> byte(1);
  if (pipe.ok()) CHECK(!pipe.value().ReadFull(0, byte).ok());
  CHECK(root.StatAt("link").value().kind == NodeKind::kLink);
  CHECK(root.StatAt("pipe").value().kind == NodeKind::kOther);
}

TEST_CASE("folder: what is no plain name never reaches the system") {
  TempFolder temp;
  const Folder root = Root(temp);
  const std::string names[] = {"",
                               ".",
                               "..",
                               "a/b",
                               "/",
                               "/etc",
                               "../",
                               "a/",
                               std::string("a\0b", 3),
                               std::string(256, 'a')};
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(root.OpenFile(name, Access::kCreate).status().code() == Code::kInvalidArgument);
    CHECK(root.OpenFolder(name, Missing::kMake).status().code() == Code::kInvalidArgument);
    CHECK(root.Unlink(name).code() == Code::kInvalidArgument);
    CHECK(root.RemoveFolder(name).code() == Code::kInvalidArgument);
    CHECK(root.Rename(name, "a").code() == Code::kInvalidArgument);
    CHECK(root.Rename("a", name).code() == Code::kInvalidArgument);
    CHECK(root.StatAt(name).status().code() == Code::kInvalidArgument);
  }
  CHECK(IsPlainName(std::string(255, 'a')));
  CHECK(IsPlainName("..."));
  CHECK(OpenFolderAt(PosixEnv(), "", Missing::kMake).status().code() == Code::kInvalidArgument);
}

TEST_CASE("folder: made with all that is missing above it") {
  TempFolder temp;
  const std::string path = temp.path() + "/a//b/./c";
  const Result<Folder> absent = OpenFolderAt(PosixEnv(), path, Missing::kRefuse);
  CHECK(absent.status().code() == Code::kNotFound);
  CHECK(absent.status().error() == ENOENT);
  CHECK(std::string(absent.status().message()).find(path) != std::string::npos);
  CHECK(OpenFolderAt(PosixEnv(), path, Missing::kMake).ok());
  CHECK(OpenFolderAt(PosixEnv(), path, Missing::kRefuse).value().Stat().value().mode == 0700);
  CHECK(OpenFolderAt(PosixEnv(), "/", Missing::kMake).ok());
  CHECK(OpenFolderAt(PosixEnv(), ".", Missing::kMake).ok());
  CHECK(OpenFolderAt(PosixEnv(), "/.", Missing::kRefuse).ok());
}

TEST_CASE("file: written by slices, read whole, up to the end, and not beyond") {
  TempFolder temp;
  const Folder root = Root(temp);
  File file = Create(root, "file");
  const std::vector<uint8_t> bytes = Bytes(1000);
  // More slices than one call takes, of sizes from 0 up.
  std::vector<Slice> slices;
  uint64_t size = 0;
  for (size_t at = 0; at < 200; at++) {
    slices.push_back(Slice(bytes).subspan(at, at % 5));
    size += at % 5;
  }
  REQUIRE(file.WriteFull(10, slices).ok());
  std::vector<uint8_t> expected(10);
  for (const Slice slice : slices) expected.insert(expected.end(), slice.begin(), slice.end());
  std::vector<uint8_t> read(size + 10);
  CHECK(file.ReadFull(0, read).ok());
  CHECK(read == expected);
  CHECK(file.Stat().value().size == size + 10);

  read.assign(100, 0xff);
  CHECK(file.ReadUpTo(size, read).value() == 10);
  CHECK(file.ReadUpTo(size + 10, read).value() == 0);
  const Status beyond = file.ReadFull(size, read);
  CHECK(beyond.code() == Code::kCorrupt);
  CHECK(std::string(beyond.message()).find(temp.path() + "/file ends at") != std::string::npos);
  CHECK(file.WriteFull(0, Slice()).ok());
  CHECK(file.WriteFull(0, std::span<const Slice>()).ok());

  // Offsets that the system's numbers do not have.
  for (const uint64_t offset : {UINT64_MAX, uint64_t{1} << 63, uint64_t{INT64_MAX}}) {
    CHECK(file.WriteFull(offset, bytes).error() == EOVERFLOW);
    CHECK(file.ReadFull(offset, read).error() == EOVERFLOW);
    CHECK(!file.ReadUpTo(offset, read).ok());
    CHECK(file.ReadCached(offset, read) != File::Cached::kDone);
  }
  CHECK(file.Truncate(UINT64_MAX).error() == EFBIG);
  CHECK(!file.Allocate(UINT64_MAX, 2, Env::Allocation::kKeepSize).ok());
  CHECK(!file.Punch(UINT64_MAX, 2).ok());
  CHECK(file.Close().ok());
  CHECK(file.Close().ok());
  CHECK(!file.is_open());
}

TEST_CASE("file: from the page cache all of it, or nothing") {
  TempFolder temp;
  const Folder root = Root(temp);
  File file = Create(root, "file");
  const std::vector<uint8_t> bytes = Bytes(100'000);
  REQUIRE(file.WriteFull(0, bytes).ok());
  std::vector<uint8_t> read(bytes.size());
  const File::Cached cached = file.ReadCached(0, read);
  if (cached == File::Cached::kUnsupported) {
    MESSAGE("this file system has no reads that do not wait");
    return;
  }
  CHECK(cached == File::Cached::kDone);
  CHECK(read == bytes);
  CHECK(file.ReadCached(1, read) == File::Cached::kWouldBlock);
  CHECK(file.ReadCached(bytes.size(), read) == File::Cached::kWouldBlock);
  CHECK(file.ReadCached(0, std::span<uint8_t>()) == File::Cached::kDone);
  // What was not read before says nothing about what was.
  CHECK(file.ReadCached(0, read) == File::Cached::kDone);
  const Outcome of_no_file = PosixEnv().ReadCached(-1, 0, read);
  CHECK(of_no_file.error() == EBADF);
}

TEST_CASE("file: blocks are taken and given back") {
  TempFolder temp;
  const Folder root = Root(temp);
  File file = Create(root, "file");
  constexpr uint64_t kSize = 1 << 20;
  const Result<bool> kept = file.Allocate(0, kSize, Env::Allocation::kKeepSize);
  REQUIRE(kept.ok());
  if (kept.value()) {
    CHECK(file.Stat().value().size == 0);
    CHECK(file.Stat().value().allocated >= kSize);
    CHECK(file.Allocate(0, kSize, Env::Allocation::kExtend).ok());
    CHECK(file.Stat().value().size == kSize);
  }
  const std::vector<uint8_t> bytes = Bytes(kSize);
  REQUIRE(file.WriteFull(0, bytes).ok());
  REQUIRE(file.SyncData().ok());
  const uint64_t before = file.Stat().value().allocated;
  const Result<bool> punched = file.Punch(kSize / 4, kSize / 2);
  REQUIRE(punched.ok());
  if (punched.value()) {
    CHECK(file.Stat().value().allocated <= before - kSize / 2);
    CHECK(file.Stat().value().size == kSize);
    std::vector<uint8_t> read(2);
    CHECK(file.ReadFull(kSize / 4 - 1, read).ok());
    CHECK(read == std::vector<uint8_t>{bytes[kSize / 4 - 1], 0});
  }
  CHECK(file.Truncate(10).ok());
  CHECK(file.Stat().value().size == 10);
  file.Advise(0, 0, Env::Advice::kSequential);
  file.Advise(0, 10, Env::Advice::kWillNeed);
  file.Advise(0, 10, Env::Advice::kDontNeed);
  file.StartWriteback(0, 10);
  CHECK(file.Sync().ok());
  CHECK(root.Sync().ok());
  for (const auto advice : {Env::Advice::kSequential, Env::Advice::kWillNeed}) {
    CHECK(PosixEnv().Advise(file.descriptor(), 0, 0, advice).ok());
  }
  CHECK(PosixEnv().StartWriteback(file.descriptor(), 0, 10).ok());
}

TEST_CASE("folder: lists, renames and removes") {
  TempFolder temp;
  const Folder root = Root(temp);
  for (const char* name : {"a", "b", "c"}) static_cast<void>(Create(root, name));
  REQUIRE(root.OpenFolder("folder", Missing::kMake).ok());
  REQUIRE(::symlink("a", (temp.path() + "/link").c_str()) == 0);
  std::multiset<std::string> seen;
  const auto list = [&] {
    seen.clear();
    return root.List([&](const Listed& entry) {
      seen.insert(std::string(entry.name) + " " + std::to_string(static_cast<int>(entry.kind)));
      return true;
    });
  };
  REQUIRE(list().ok());
  CHECK(seen == std::multiset<std::string>{"a 0", "b 0", "c 0", "folder 1", "link 2"});
  // Again, from the beginning.
  REQUIRE(list().ok());
  CHECK(seen.size() == 5);
  int visits = 0;
  CHECK(root.List([&](const Listed&) { return ++visits < 2; }).ok());
  CHECK(visits == 2);

  CHECK(root.Rename("a", "b").ok());
  CHECK(root.Rename("a", "d").code() == Code::kNotFound);
  CHECK(root.Link("b", "c").code() == Code::kExists);
  CHECK(root.Link("b", "e").ok());
  CHECK(root.StatAt("e").value().links == 2);
  CHECK(root.Unlink("e").ok());
  CHECK(root.StatAt("b").value().links == 1);
  CHECK(root.Unlink("c").ok());
  CHECK(root.Unlink("c").code() == Code::kNotFound);
  CHECK(!root.Unlink("folder").ok());
  CHECK(root.RemoveFolder("folder").ok());
  CHECK(root.RemoveFolder("b").code() == Code::kWrongKind);
  CHECK(root.Unlink("link").ok());
  REQUIRE(list().ok());
  CHECK(seen == std::multiset<std::string>{"b 0"});
  const VolumeInfo volume = root.StatVolume().value();
  CHECK(volume.total >= volume.available);
  CHECK(volume.block > 0);
  CHECK(!volume.read_only);
}

TEST_CASE("env: why it failed is a code, the errno, and words that name the file") {
  TempFolder temp;
  const Folder root = Root(temp);
  const Status absent = root.OpenFile("none", Access::kRead).TakeStatus();
  CHECK(absent.code() == Code::kNotFound);
  CHECK(absent.error() == ENOENT);
  CHECK(std::string(absent.message()) ==
        "open " + temp.path() + "/none: No such file or directory (ENOENT)");

  struct rlimit before = {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const struct rlimit none = {0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const Status many = root.OpenFile("file", Access::kCreate).TakeStatus();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(many.code() == Code::kTooManyFiles);

  File file = Create(root, "file");
  Result<File> opened_to_read = root.OpenFile("file", Access::kRead);
  REQUIRE(opened_to_read.ok());
  File read_only = opened_to_read.Take();
  const uint8_t byte = 1;
  CHECK(read_only.WriteFull(0, Slice(&byte, 1)).code() == Code::kIo);
#ifdef __linux__
  const Result<Folder> devices = OpenFolderAt(PosixEnv(), "/dev", Missing::kRefuse);
  REQUIRE(devices.ok());
  Result<File> opened = devices.value().OpenFile("full", Access::kReadWrite);
  REQUIRE(opened.ok());
  File full = opened.Take();
  CHECK(full.WriteFull(0, Slice(&byte, 1)).code() == Code::kNoSpace);
#endif
}

TEST_CASE("env: a socket in a folder tells a living owner from a dead one, however long the path") {
  TempFolder temp;
  Env& env = PosixEnv();
  // Far beyond what the address of a socket holds.
  std::string path = temp.path();
  for (int part = 0; part < 10; part++) path += "/" + std::string(100, 'd');
  Result<Folder> opened = OpenFolderAt(env, path, Missing::kMake);
  REQUIRE(opened.ok());
  const Folder folder = opened.Take();
  const int at = folder.descriptor();
  const auto connect = [&]() -> int {
    const File to(env, static_cast<int>(env.Socket().value()), "socket");
    const Outcome connected = env.Connect(to.descriptor(), at, "LOCK");
    if (!connected.ok()) return connected.error();
    CHECK(env.PeerProcess(to.descriptor()).value() == env.Process());
    return 0;
  };
  CHECK(connect() == ENOENT);
  File owner(env, static_cast<int>(env.Socket().value()), "socket");
  REQUIRE(env.Bind(owner.descriptor(), at, "LOCK").ok());
  CHECK(connect() == ECONNREFUSED);
  REQUIRE(env.Listen(owner.descriptor(), 1).ok());
  CHECK(env.Accept(owner.descriptor()).error() == EAGAIN);
  CHECK(connect() == 0);
  CHECK(folder.StatAt("LOCK").value().kind == NodeKind::kSocket);
#ifdef __linux__
  CHECK(folder.StatAt("LOCK").value().mode == 0600);
#endif
  // Nobody accepts: more than may wait are told that there is somebody, nevertheless.
  std::set<int> answers;
  std::vector<File> waiting;
  for (int turn = 0; turn < 4; turn++) {
    waiting.emplace_back(env, static_cast<int>(env.Socket().value()), "socket");
    answers.insert(env.Connect(waiting.back().descriptor(), at, "LOCK").error());
  }
  CHECK(answers.contains(EAGAIN));
  // The first that came in is gone again; then come those that wait.
  Awaited awaited[] = {{.socket = owner.descriptor()}, {.socket = waiting[0].descriptor()}};
  CHECK(env.Await(awaited, 10'000).value() == 1);
  CHECK(awaited[0].ready);
  CHECK(!awaited[1].ready);
  const auto accept = [&] {
    const Outcome accepted = env.Accept(owner.descriptor());
    REQUIRE(accepted.ok());
    return File(env, static_cast<int>(accepted.value()), "accepted");
  };
  const std::vector<uint8_t> bytes = Bytes(5);
  {
    const File gone = accept();
    CHECK(env.Send(gone.descriptor(), bytes).error() == EPIPE);
  }
  File here = accept();
  std::vector<uint8_t> read(10);
  CHECK(env.Receive(waiting[0].descriptor(), read).error() == EAGAIN);
  CHECK(env.Send(here.descriptor(), bytes).value() == 5);
  CHECK(here.Close().ok());
  CHECK(env.Await(std::span(awaited).subspan(1), 10'000).value() == 1);
  CHECK(env.Receive(waiting[0].descriptor(), read).value() == 5);
  CHECK(std::equal(bytes.begin(), bytes.end(), read.begin()));
  CHECK(env.Receive(waiting[0].descriptor(), read).value() == 0);
  File second(env, static_cast<int>(env.Socket().value()), "socket");
  CHECK(env.Bind(second.descriptor(), at, "LOCK").error() == EADDRINUSE);
  CHECK(owner.Close().ok());
  CHECK(connect() == ECONNREFUSED);
  CHECK(folder.Unlink("LOCK").ok());
  CHECK(env.Bind(second.descriptor(), at, "LOCK").ok());
  CHECK(env.Bind(second.descriptor(), at, std::string(200, 'n').c_str()).error() == ENAMETOOLONG);
}

TEST_CASE("env: the machine has an id of its start, chance, and time") {
  Env& env = PosixEnv();
  BootId first;
  BootId second;
  REQUIRE(env.Boot(&first).ok());
  REQUIRE(env.Boot(&second).ok());
  CHECK(first == second);
  CHECK(!(first == BootId{}));
  std::vector<uint8_t> some(32);
  std::vector<uint8_t> others(32);
  REQUIRE(env.Entropy(some).ok());
  REQUIRE(env.Entropy(others).ok());
  CHECK(some != others);
  CHECK(env.EpochMilliseconds() > 1.5e12);
  CHECK(env.Process() == static_cast<uint64_t>(::getpid()));
}

TEST_CASE("file and folder: one descriptor, closed once, wherever it is moved") {
  TempFolder temp;
  const int before = OpenDescriptors();
  {
    Folder root = Root(temp);
    File first = Create(root, "first");
    File second = Create(root, "second");
    const int descriptor = second.descriptor();
    first = std::move(second);
    CHECK(first.descriptor() == descriptor);
    CHECK(first.name() == temp.path() + "/second");
    File third = std::move(first);
    Folder moved = std::move(root);
    root = std::move(moved);
    CHECK(root.StatAt("first").ok());
    if (before >= 0) CHECK(OpenDescriptors() == before + 2);
    // Closed behind its back, it says so.
    REQUIRE(::close(third.descriptor()) == 0);
    CHECK(third.Close().error() == EBADF);
  }
  CHECK(OpenDescriptors() == before);
}
