// What a file store keeps, and what of it is there again.

#include "file_fixture.h"
#include "file_store/file_registry.h"

using namespace drey;
using namespace drey::test;

TEST_CASE("file store: what is set is found, after an end of whatever kind") {
  for (const bool close : {true, false}) {
    TempFolder folder;
    std::map<std::string, std::vector<uint8_t>> model;
    Random random(close ? 1 : 2);
    for (int round = 0; round < 4; round++) {
      Store store(PosixEnv(), folder.path() + "/s", {.max_bytes = 64 * kMiB});
      REQUIRE_MESSAGE(store.ok(), store.error());
      CHECK(store->recovered().clean == (close || round == 0));
      CHECK(store->recovered().damages == 0);
      CHECK(store->recovered().torn_bytes == 0);
      CHECK(store->stats().entries == model.size());
      for (const auto& [key, value] : model) {
        const auto got = store.Get(key);
        REQUIRE(got);
        CHECK(got->value == value);
        CHECK(!got->doubtful);
      }
      for (int at = 0; at < 200; at++) {
        const std::string key = "key " + std::to_string(random.Below(80));
        const uint64_t what = random.Below(10);
        if (what == 0) {
          const Wrote wrote = store.Delete(key);
          CHECK(wrote.kind == Written::kDone);
          CHECK(wrote.existed == (model.erase(key) == 1));
        } else if (what == 1 && random.Below(20) == 0) {
          CHECK(store.Clear().kind == Written::kDone);
          model.clear();
        } else {
          const uint64_t size = what == 2 ? random.Below(400'000) : random.Below(5000);
          const auto value = ValueOf(random.Next(), size);
          const Wrote wrote = store.Set(key, value);
          REQUIRE_MESSAGE(wrote.kind == Written::kDone, wrote.message);
          model[key] = value;
        }
        CHECK(store.Get(key).has_value() == model.contains(key));
      }
      CHECK(BlocksOf(PosixEnv(), folder.path() + "/s") <= store->stats().bytes);
      if (close) CHECK_MESSAGE(store.Close(), store.error());
    }
  }
}

TEST_CASE("file store: values of every size are streamed, and read by chunks") {
  TempFolder folder;
  file::FileStoreOptions options;
  options.max_bytes = 64 * kMiB;
  options.chunk_power = 16;
  std::map<std::string, std::vector<uint8_t>> model;
  {
    Store store(PosixEnv(), folder.path() + "/s", options);
    REQUIRE_MESSAGE(store.ok(), store.error());
    for (const uint64_t size : {0, 1, 65535, 65536, 65537, 131072, 262144, 300000, 9'000'000}) {
      const std::string key = "size " + std::to_string(size);
      model[key] = ValueOf(size, size);
      const Wrote wrote = store.Stream(key, model[key]);
      REQUIRE_MESSAGE(wrote.kind == Written::kDone, wrote.message);
      CHECK(store.Has(key, model[key]));
    }
    const auto big = ValueOf(1, 17 * kMiB);
    CHECK(store.Stream("too large", big).kind == Written::kTooLarge);
    CHECK(!store.Get("too large"));
    CHECK(store.Close());
  }
  Store store(PosixEnv(), folder.path() + "/s", options);
  REQUIRE(store.ok());
  CHECK(store->recovered().clean);
  CHECK(store->recovered().image != 0);
  for (const auto& [key, value] : model) CHECK(store.Has(key, value));
  // Any chunk by itself, without what is before it.
  std::vector<uint8_t> into(4096);
  file::Opened opened;
  REQUIRE(store->FindWaiting(SliceOf("size 9000000"), false, into, &opened) == file::Find::kFound);
  std::vector<uint8_t> chunk(65536);
  for (const uint64_t at : {137, 0, 100, 1}) {
    file::ChunkEntry entry;
    REQUIRE(opened.blob->ReadChunk(at, chunk, &entry).ok());
    CHECK(std::equal(chunk.begin(), chunk.begin() + entry.stored,
                     model["size 9000000"].begin() + static_cast<long>(at * 65536)));
  }
  file::ChunkEntry entry;
  CHECK(!opened.blob->ReadChunk(138, chunk, &entry).ok());
  // With less memory than the record takes, it says how much.
  std::vector<uint8_t> little(16);
  CHECK(store->FindWaiting(SliceOf("size 65535"), false, little, &opened) == file::Find::kTooSmall);
  CHECK(opened.needed > 65535);
}

TEST_CASE("file store: what was read lately is found without waiting") {
  TempFolder folder;
  Store store(PosixEnv(), folder.path() + "/s");
  REQUIRE(store.ok());
  const auto value = ValueOf(1, 4096);
  REQUIRE(store.Put("key", value));
  std::vector<uint8_t> into(8192);
  file::Opened opened;
  CHECK(store->FindNow(SliceOf("absent"), false, into, &opened) == file::Find::kMiss);
  // Nobody has opened the segment yet.
  CHECK(store->FindNow(SliceOf("key"), false, into, &opened) == file::Find::kWait);
  CHECK(store.Has("key", value));
  const file::Find found = store->FindNow(SliceOf("key"), false, into, &opened);
  // Where the file system cannot say, all waits.
  CHECK((found == file::Find::kFound || found == file::Find::kWait));
  if (found == file::Find::kFound) {
    CHECK(std::equal(opened.data.begin(), opened.data.end(), value.begin(), value.end()));
  }
  bool called = false;
  store->FindLater(SliceOf("key"), false, into, [&](file::Find later, file::Opened it) {
    called = later == file::Find::kFound && it.data.size() == value.size();
  });
  CHECK(called);
}

TEST_CASE("file store: a delete or a clear fences drafts, a set does not") {
  TempFolder folder;
  Store store(PosixEnv(), folder.path() + "/s");
  REQUIRE(store.ok());
  const auto first = ValueOf(1, 100);
  const auto large = ValueOf(2, 300'000);
  const auto commit = [&](const std::shared_ptr<file::FileDraft>& draft,
                          const std::vector<uint8_t>& value) {
    Wrote wrote;
    for (const auto& chunk : ChunksOf(value)) draft->Write(chunk, store.Into(wrote));
    draft->Commit(MetadataOf(), store.Into(wrote));
    return wrote.kind;
  };
  for (const auto& value : {first, large}) {
    auto draft = store->BeginDraft(SliceOf("key"));
    CHECK(store.Put("key", ValueOf(3, 50)));
    CHECK(commit(draft, value) == Written::kDone);
    CHECK(store.Has("key", value));

    draft = store->BeginDraft(SliceOf("key"));
    const auto other = store->BeginDraft(SliceOf("other"));
    CHECK(store.Delete("key").existed);
    CHECK(commit(draft, value) == Written::kFenced);
    CHECK(!store.Get("key"));
    CHECK(commit(other, value) == Written::kDone);

    CHECK(store.Put("key", ValueOf(3, 50)));
    draft = store->BeginDraft(SliceOf("key"));
    CHECK(store.Delete("key", file::Drafts::kSpared).existed);
    CHECK(!store.Get("key"));
    CHECK(commit(draft, value) == Written::kDone);
    CHECK(store.Has("key", value));

    draft = store->BeginDraft(SliceOf("key"));
    CHECK(store.Clear().kind == Written::kDone);
    CHECK(commit(draft, value) == Written::kFenced);
    CHECK(!store.Get("key"));
    CHECK(!store.Get("other"));

    draft = store->BeginDraft(SliceOf("key"));
    Wrote wrote;
    for (const auto& chunk : ChunksOf(value)) draft->Write(chunk, store.Into(wrote));
    draft->Abort();
    draft->Commit(MetadataOf(), store.Into(wrote));
    CHECK(wrote.kind == Written::kFailed);
    CHECK(!store.Get("key"));
  }
  // Nothing of what was given up is left.
  CHECK(BlocksOf(PosixEnv(), folder.path() + "/s") < 3 * kMiB);
  CHECK(store->stats().bytes < 3 * kMiB);
}

TEST_CASE("file store: metadata is revised, the value stays, and only of the entry that was seen") {
  for (const uint64_t size : {100, 300'000}) {
    TempFolder folder;
    const auto value = ValueOf(1, size);
    {
      Store store(PosixEnv(), folder.path() + "/s");
      REQUIRE(store.ok());
      REQUIRE(store.Put("key", value));
      const auto seen = store.Get("key");
      REQUIRE(seen);
      Wrote wrote;
      store->Revise(SliceOf("key"), seen->sequence, MetadataOf(5e12, 77), store.Into(wrote));
      CHECK(wrote.kind == Written::kDone);
      const auto got = store.Get("key");
      REQUIRE(got);
      CHECK(got->value == value);
      CHECK(got->metadata == MetadataOf(5e12, 77));
      store->Revise(SliceOf("key"), seen->sequence, MetadataOf(6e12, 78), store.Into(wrote));
      CHECK(wrote.kind == Written::kSuperseded);
      store->Revise(SliceOf("absent"), seen->sequence, MetadataOf(), store.Into(wrote));
      CHECK(wrote.kind == Written::kSuperseded);
    }
    Store store(PosixEnv(), folder.path() + "/s");
    REQUIRE(store.ok());
    const auto got = store.Get("key");
    REQUIRE(got);
    CHECK(got->value == value);
    CHECK(got->metadata == MetadataOf(5e12, 77));
    CHECK(store.Delete("key").existed);
    CHECK(store->stats().bytes < 3 * kMiB);
  }
}

TEST_CASE("file store: of a batch all is there after a crash, or nothing") {
  const auto value = ValueOf(1, 500);
  uint64_t whole = 0;
  for (uint64_t nth = 1; nth < 16; nth++) {
    TempFolder folder;
    FaultEnv env(PosixEnv());
    file::FileStoreOptions options;
    options.durability = file::Durability::kPower;
    const std::vector<file::StoredChunk> chunks = ChunksOf(value);
    const std::vector<uint8_t> metadata = MetadataOf();
    bool done = false;
    {
      Store store(env, folder.path() + "/s", options);
      REQUIRE(store.ok());
      REQUIRE(store.Put("gone", value));
      std::vector<file::FileStore::Member> members;
      const std::vector<std::string> keys = {"a", "b", "c"};
      for (const std::string& key : keys) {
        members.push_back({SliceOf(key), metadata, value.size(), chunks, false});
      }
      members.push_back({.key = SliceOf("gone"), .metadata = {}, .chunks = {}, .remove = true});
      if (nth < 8) {
        env.Inject({.path = "seg", .nth = nth, .times = 1, .at_most = 700, .halt = nth % 2 == 0});
      } else {
        // A part of it is written, and then the machine stops.
        env.Inject({.call = Call::kWrite, .nth = 1, .times = 1, .at_most = 300 * (nth - 7)});
        env.Inject({.call = Call::kWrite, .nth = 2, .times = 1, .halt = true});
      }
      Wrote wrote;
      store->Batch(members, store.Into(wrote));
      done = wrote.kind == Written::kDone;
      env.Halt();
    }
    env.ClearFaults();
    REQUIRE(env.LosePower(nth, nth < 8 ? PowerLoss::kSectors : PowerLoss::kEverything));
    Store store(env, folder.path() + "/s", options);
    REQUIRE(store.ok());
    const bool there = store.Has("a", value);
    CHECK((there || !done));
    CHECK(store.Has("b", value) == there);
    CHECK(store.Has("c", value) == there);
    CHECK(store.Has("gone", value) == !there);
    whole += there ? 1 : 0;
  }
  CHECK(whole > 0);
}

TEST_CASE("file store: wrong options and foreign directories are refused, and left alone") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  file::FileStoreOptions options;
  options.max_bytes = 2 * kMiB;
  CHECK(Store(PosixEnv(), path, options).code() == Status::Code::kInvalidArgument);
  options = {};
  options.partitions = 3;
  CHECK(Store(PosixEnv(), path, options).code() == Status::Code::kInvalidArgument);
  Result<Folder> made = OpenFolderAt(PosixEnv(), path, Folder::Missing::kMake);
  REQUIRE(made.ok());
  {
    Result<File> file = made.value().OpenFile("mine", Env::Access::kCreate);
    REQUIRE(file.ok());
  }
  const Store refused(PosixEnv(), path);
  CHECK(refused.code() == Status::Code::kInvalidArgument);
  CHECK(refused.error().find("mine") != std::string::npos);
  uint64_t entries = 0;
  CHECK(made.value()
            .List([&](const Listed&) {
              entries += 1;
              return true;
            })
            .ok());
  CHECK(entries == 1);
  CHECK(made.value().Unlink("mine").ok());
  CHECK(Store(PosixEnv(), path).ok());
  // A file in its place.
  {
    Result<File> file = made.value().OpenFile("file", Env::Access::kCreate);
    REQUIRE(file.ok());
  }
  CHECK(Store(PosixEnv(), path + "/file").code() == Status::Code::kInvalidArgument);
}

TEST_CASE("file store: a directory has one owner, whom the other one names") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  {
    Store store(PosixEnv(), path);
    REQUIRE_MESSAGE(store.ok(), store.error());
    REQUIRE(store.Put("key", ValueOf(1, 10)));
    const Store second(PosixEnv(), path);
    CHECK(second.code() == Status::Code::kLocked);
    CHECK(second.error().find("another copy of drey in this process") != std::string::npos);
    CHECK(store.Has("key", ValueOf(1, 10)));
    CHECK(store.Close());
    Store third(PosixEnv(), path);
    CHECK_MESSAGE(third.ok(), third.error());
    // What is closed is closed.
    CHECK(store.Set("key", ValueOf(1, 10)).code == Status::Code::kClosed);
  }
  Result<Folder> locks = OpenFolderAt(PosixEnv(), path + "/LOCK", Folder::Missing::kRefuse);
  REQUIRE(locks.ok());
  uint64_t names = 0;
  CHECK(locks.value()
            .List([&](const Listed&) {
              names += 1;
              return true;
            })
            .ok());
  CHECK(names == 0);
}

TEST_CASE("file store: an image is used, and without it the log says the same") {
  for (const int harm : {0, 1, 2, 3}) {
    TempFolder folder;
    const std::string path = folder.path() + "/s";
    std::map<std::string, std::vector<uint8_t>> model;
    {
      Store store(PosixEnv(), path);
      REQUIRE(store.ok());
      for (int at = 0; at < 300; at++) {
        const std::string key = "key " + std::to_string(at % 100);
        model[key] = ValueOf(static_cast<uint64_t>(at), 1000);
        REQUIRE(store.Put(key, model[key]));
        if (at == 150) CHECK(store->Checkpoint().ok());
      }
      CHECK(store.Delete("key 7").existed);
      model.erase("key 7");
      // Without a close, the image is older than the log.
      if (harm != 3) CHECK(store.Close());
    }
    Result<Folder> log = OpenFolderAt(PosixEnv(), path + "/log", Folder::Missing::kRefuse);
    REQUIRE(log.ok());
    std::vector<std::string> images;
    CHECK(log.value()
              .List([&](const Listed& entry) {
                if (entry.name.ends_with(".img")) images.emplace_back(entry.name);
                return true;
              })
              .ok());
    REQUIRE(images.size() == 1);
    if (harm == 1) REQUIRE(log.value().Unlink(images[0]).ok());
    if (harm == 2) {
      Result<File> image = log.value().OpenFile(images[0], Env::Access::kReadWrite);
      REQUIRE(image.ok());
      File file = image.Take();
      const uint8_t bad[1] = {0x55};
      REQUIRE(file.WriteFull(4096 + 300, Slice(bad)).ok());
    }
    Store store(PosixEnv(), path);
    REQUIRE_MESSAGE(store.ok(), store.error());
    CHECK((store->recovered().image != 0) == (harm == 0 || harm == 3));
    CHECK(store->recovered().images_damaged == (harm == 2 ? 1 : 0));
    CHECK(store->recovered().clean == (harm != 3));
    CHECK(store->stats().entries == model.size());
    for (const auto& [key, value] : model) CHECK(store.Has(key, value));
    CHECK(!store.Get("key 7"));
  }
}

TEST_CASE("file store: whoever opens a directory again in a process shares its store") {
  TempFolder folder;
  file::FileRegistry registry;
  file::FileStoreOptions options;
  options.dir = folder.path() + "/s";
  options.max_bytes = 16 * kMiB;
  options.env = &PosixEnv();
  Result<file::FileRegistry::Attachment> first = registry.Attach(options, 2);
  REQUIRE_MESSAGE(first.ok(), first.status().message());
  // The options are the first one's.
  options.max_bytes *= 2;
  Result<file::FileRegistry::Attachment> second = registry.Attach(options, 2);
  REQUIRE(second.ok());
  CHECK(first.value().directory == second.value().directory);
  CHECK(second.value().directory->store().stats().max_bytes == 16 * kMiB);
  CHECK(registry.Detach(first.Take()).ok());
  CHECK(registry.size() == 1);
  std::vector<uint8_t> into(4096);
  file::Opened opened;
  CHECK(second.value().directory->store().FindWaiting(SliceOf("key"), false, into, &opened) ==
        file::Find::kMiss);
  CHECK(registry.Detach(second.Take()).ok());
  CHECK(registry.size() == 0);
  CHECK(Store(PosixEnv(), options.dir).ok());
}

TEST_CASE("file store: minFree keeps room on the file system, whoever filled it") {
  TempFolder folder;
  file::FileStoreOptions options;
  options.min_free_share = 1;
  Store store(PosixEnv(), folder.path() + "/s", options);
  REQUIRE(store.ok());
  const Wrote wrote = store.Set("key", ValueOf(1, 100));
  CHECK(wrote.kind == Written::kFailed);
  CHECK(wrote.code == Status::Code::kNoSpace);
  CHECK(wrote.message.find("minFree") != std::string::npos);
  CHECK(store.Set("large", ValueOf(1, 300'000)).code == Status::Code::kNoSpace);
  CHECK(!store.Get("key"));
  CHECK(store.Close());
}
