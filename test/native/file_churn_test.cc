// The bound holds at every moment, whatever is written (D2, I4), and what is found is right.

#include "file_fixture.h"

using namespace drey;
using namespace drey::test;

namespace {

struct Churn {
  uint64_t written = 0;
  uint64_t hits = 0;
  uint64_t looks = 0;
  uint64_t refused = 0;
};

Churn Run(Store& store, const std::string& path, Random& random, uint64_t bytes, uint64_t most_size,
          std::map<std::string, std::vector<uint8_t>>& model) {
  Churn churn;
  while (churn.written < bytes) {
    const std::string key = "key " + std::to_string(random.Below(3000));
    const uint64_t what = random.Below(20);
    if (what == 0) {
      CHECK(store.Delete(key).kind == Written::kDone);
      model.erase(key);
    } else if (what < 8) {
      const auto got = store.Get(key);
      churn.looks += 1;
      if (got) {
        churn.hits += 1;
        const auto known = model.find(key);
        REQUIRE(known != model.end());
        REQUIRE(got->value == known->second);
      }
    } else {
      const uint64_t size = random.Below(8) == 0 ? random.Below(most_size) : random.Below(4000);
      const auto value = ValueOf(random.Next(), size);
      const Wrote wrote = store.Set(key, value);
      churn.written += size;
      if (wrote.kind == Written::kDone) {
        model[key] = value;
      } else {
        churn.refused += 1;
        CHECK_MESSAGE(wrote.code == Status::Code::kNoSpace, wrote.message);
      }
    }
    if (churn.written % 16 != 0) continue;
    const uint64_t blocks = BlocksOf(PosixEnv(), path);
    REQUIRE(blocks <= store->stats().bytes);
    REQUIRE(store->stats().most_bytes <= store->stats().max_bytes);
  }
  return churn;
}

}  // namespace

TEST_CASE("file store: a churn of many times its bound stays within it, under each policy") {
  for (const char* policy : {"fifo", "lru", "lfu", "sieve", "s3-fifo"}) {
    TempFolder folder;
    const std::string path = folder.path() + "/s";
    std::map<std::string, std::vector<uint8_t>> model;
    Random random(7);
    file::FileStoreOptions options;
    options.policy = *file::TurnKindOf(policy);
    {
      Store store(PosixEnv(), path, options);
      REQUIRE_MESSAGE(store.ok(), store.error());
      const Churn churn = Run(store, path, random, 120 * kMiB, 300'000, model);
      const auto stats = store->stats();
      MESSAGE(policy << ": " << churn.hits << " hits of " << churn.looks << ", " << stats.evictions
                     << " evictions, " << stats.reclaimed_segments << " segments reclaimed, "
                     << churn.refused << " refused, "
                     << static_cast<double>(stats.bytes_written) /
                            static_cast<double>(stats.bytes_written - stats.bytes_copied)
                     << " write amplification, most " << stats.most_bytes << " of "
                     << stats.max_bytes);
      CHECK(churn.refused == 0);
      CHECK(stats.evictions > 0);
      CHECK(stats.corrupt == 0);
      CHECK(stats.bytes_copied * 2 <= stats.bytes_written);
      CHECK(churn.hits > 0);
    }
    // It was not closed: nothing is lost but by eviction, and nothing is wrong.
    Store store(PosixEnv(), path, options);
    REQUIRE_MESSAGE(store.ok(), store.error());
    CHECK(store->recovered().damages == 0);
    CHECK(store->recovered().lost.empty());
    uint64_t there = 0;
    for (const auto& [key, value] : model) {
      const auto got = store.Get(key, true);
      there += got ? 1 : 0;
      if (got) CHECK(got->value == value);
    }
    CHECK(there == store->stats().entries);
    CHECK(BlocksOf(PosixEnv(), path) <= store->stats().bytes);
  }
}

TEST_CASE("file store: large values alone fill it, and make room for each other") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  Store store(PosixEnv(), path);
  REQUIRE_MESSAGE(store.ok(), store.error());
  std::map<std::string, std::vector<uint8_t>> model;
  for (int at = 0; at < 100; at++) {
    const std::string key = "key " + std::to_string(at);
    model[key] = ValueOf(static_cast<uint64_t>(at), 700'000);
    const Wrote wrote = store.Set(key, model[key]);
    REQUIRE_MESSAGE(wrote.kind == Written::kDone, wrote.message);
    REQUIRE(BlocksOf(PosixEnv(), path) <= store->stats().bytes);
    REQUIRE(store->stats().most_bytes <= store->stats().max_bytes);
    CHECK(store.Has(key, model[key]));
  }
  uint64_t there = 0;
  for (const auto& [key, value] : model) there += store.Has(key, value) ? 1 : 0;
  CHECK(there == store->stats().entries);
  // Most of the bound is theirs, and the last ones are there: it is a queue.
  CHECK(there >= 12);
  CHECK(store.Has("key 99", model["key 99"]));
  CHECK(!store.Get("key 0", true));
  CHECK(store.Clear().kind == Written::kDone);
  CHECK(store->stats().entries == 0);
  CHECK(store->stats().bytes < 3 * kMiB);
  CHECK(BlocksOf(PosixEnv(), path) <= store->stats().bytes);
}

TEST_CASE("file store: the memory of the index is bounded, and what does not fit is evicted") {
  TempFolder folder;
  file::FileStoreOptions options;
  options.max_bytes = 64 * kMiB;
  options.max_index_bytes = 4 * kMiB;
  Store store(PosixEnv(), folder.path() + "/s", options);
  REQUIRE_MESSAGE(store.ok(), store.error());
  const auto value = ValueOf(1, 20);
  uint64_t last = 0;
  for (uint64_t at = 0; at < 150'000; at++) {
    REQUIRE(store.Set("key " + std::to_string(at), value).kind == Written::kDone);
    last = at;
    REQUIRE(store->stats().index_bytes <= options.max_index_bytes);
  }
  const auto stats = store->stats();
  MESSAGE(stats.entries << " entries, "
                        << static_cast<double>(stats.index_bytes) /
                               static_cast<double>(stats.entries)
                        << " bytes of index each");
  CHECK(stats.evictions > 0);
  CHECK(store.Has("key " + std::to_string(last), value));
  CHECK(stats.index_bytes <= stats.entries * 60);
}

TEST_CASE("file store: what is open stays readable, and in the ledger, when its name is gone") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  Store store(PosixEnv(), path);
  REQUIRE(store.ok());
  const auto value = ValueOf(1, 500'000);
  REQUIRE(store.Put("key", value));
  std::vector<uint8_t> into(4096);
  file::Opened opened;
  REQUIRE(store->FindWaiting(SliceOf("key"), false, into, &opened) == file::Find::kFound);
  const uint64_t before = store->stats().bytes;
  CHECK(store.Delete("key").existed);
  CHECK(!store.Get("key"));
  CHECK(store->stats().bytes >= before);
  std::vector<uint8_t> read;
  std::vector<uint8_t> chunk(65536);
  for (uint64_t at = 0; at < opened.blob->shape().Chunks(); at++) {
    file::ChunkEntry entry;
    REQUIRE(opened.blob->ReadChunk(at, chunk, &entry).ok());
    read.insert(read.end(), chunk.begin(), chunk.begin() + entry.stored);
  }
  CHECK(read == value);
  opened.blob.reset();
  CHECK(store->stats().bytes + 500'000 <= before);
}

TEST_CASE("file store: segments that are nearly dead go first, and what was deleted stays so") {
  TempFolder folder;
  const std::string path = folder.path() + "/s";
  file::FileStoreOptions options;
  options.policy = file::TurnKind::kFifo;
  std::map<std::string, std::vector<uint8_t>> cold;
  uint64_t most_written = 0;
  {
    Store store(PosixEnv(), path, options);
    REQUIRE(store.ok());
    for (int at = 0; at < 300; at++) {
      const std::string key = "cold " + std::to_string(at);
      cold[key] = ValueOf(static_cast<uint64_t>(at), 3000);
      REQUIRE(store.Put(key, cold[key]));
    }
    // Into segments of which nothing else stays.
    Random random(5);
    for (int at = 0; at < 1500; at++) {
      REQUIRE(store.Put("hot " + std::to_string(random.Below(10)), ValueOf(random.Next(), 30'000)));
      if (at % 5 == 0 && cold.size() > 150) {
        const std::string key = cold.begin()->first;
        REQUIRE(store.Delete(key).existed);
        cold.erase(key);
      }
    }
    for (const auto& [key, value] : cold) CHECK(store.Has(key, value));
    const auto stats = store->stats();
    most_written = stats.bytes_written;
    CHECK(stats.reclaimed_segments > 20);
    CHECK(stats.evictions == 0);
    CHECK(stats.bytes_copied * 4 < stats.bytes_written);
  }
  CHECK(most_written > 40 * kMiB);
  Store store(PosixEnv(), path, options);
  REQUIRE(store.ok());
  CHECK(store->recovered().damages == 0);
  for (int at = 0; at < 300; at++) {
    const std::string key = "cold " + std::to_string(at);
    const auto known = cold.find(key);
    const auto got = store.Get(key);
    CHECK(got.has_value() == (known != cold.end()));
    if (got && known != cold.end()) CHECK(got->value == known->second);
  }
}
