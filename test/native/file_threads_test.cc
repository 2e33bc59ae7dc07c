// Several threads on one store, with threads of its own. Run it under TSAN, too, and for longer:
// DREY_SECONDS=60 make tsan.

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

constexpr uint64_t kWriters = 3;
constexpr uint64_t kKeysEach = 150;

// A value says which it is: of what key, and what version.
std::vector<uint8_t> Made(uint64_t key, uint64_t version, uint64_t size) {
  std::vector<uint8_t> value = ValueOf(key * 7919 + version, 16 + size);
  std::memcpy(value.data(), &key, 8);
  std::memcpy(value.data() + 8, &version, 8);
  return value;
}

bool IsMade(const std::vector<uint8_t>& value, uint64_t key, uint64_t* version) {
  uint64_t said = 0;
  if (value.size() < 16) return false;
  std::memcpy(&said, value.data(), 8);
  std::memcpy(version, value.data() + 8, 8);
  return said == key && value == Made(key, *version, value.size() - 16);
}

// Waits for what another thread says.
class Later {
 public:
  file::WriteDone Done() {
    return [this](file::WriteOutcome outcome) {
      const std::lock_guard lock(mutex_);
      kind_ = outcome.kind;
      over_ = true;
      changed_.notify_all();
    };
  }
  Written Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return over_; });
    over_ = false;
    return kind_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_, both.
  bool over_ = false;
  Written kind_ = Written::kDone;
};

std::optional<std::vector<uint8_t>> Read(file::FileStore& store, const std::string& key,
                                         std::vector<uint8_t>& into, bool now) {
  file::Opened opened;
  file::Find found = file::Find::kWait;
  if (now) found = store.FindNow(SliceOf(key), false, into, &opened);
  if (found == file::Find::kWait) found = store.FindWaiting(SliceOf(key), false, into, &opened);
  if (found != file::Find::kFound) return std::nullopt;
  std::vector<uint8_t> value(opened.data.begin(), opened.data.end());
  std::vector<uint8_t> chunk(65536);
  for (uint64_t at = 0; opened.blob != nullptr && at < opened.blob->shape().Chunks(); at++) {
    file::ChunkEntry entry;
    if (!opened.blob->ReadChunk(at, chunk, &entry).ok()) return std::nullopt;
    value.insert(value.end(), chunk.begin(), chunk.begin() + entry.stored);
  }
  return value;
}

}  // namespace

TEST_CASE("file store: threads see the last write or nothing, while room is made") {
  const char* const seconds = std::getenv("DREY_SECONDS");
  const double wanted = seconds != nullptr ? std::atof(seconds) : 3;
  for (const auto durability : {file::Durability::kProcess, file::Durability::kNone}) {
    TempFolder folder;
    Result<std::unique_ptr<Executor>> started = Executor::Start(
        {.lanes = {Executor::LaneOptions{.threads = 2}, Executor::LaneOptions{.threads = 2},
                   Executor::LaneOptions{.threads = 1}}});
    REQUIRE(started.ok());
    const std::unique_ptr<Executor> executor = started.Take();
    file::ExecutorWorkers workers(*executor);
    file::FileStoreOptions options;
    options.dir = folder.path() + "/s";
    options.max_bytes = 10 * kMiB;
    options.segment_bytes = kMiB;
    options.max_index_bytes = 16 * kMiB;
    options.durability = durability;
    options.open_files = 4;
    options.env = &PosixEnv();
    options.workers = &workers;
    Result<std::shared_ptr<file::FileStore>> opened = file::FileStore::Open(options);
    REQUIRE_MESSAGE(opened.ok(), opened.status().message());
    std::shared_ptr<file::FileStore> store = opened.Take();
    const auto until = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(static_cast<int64_t>(wanted * 500));
    std::atomic<uint64_t> wrong = 0;
    std::atomic<uint64_t> hits = 0;
    std::atomic<uint64_t> misses = 0;
    std::atomic<uint64_t> writes = 0;
    std::atomic<uint64_t> over = 0;
    std::vector<std::thread> threads;
    for (uint64_t writer = 0; writer < kWriters; writer++) {
      threads.emplace_back([&, writer] {
        Random random(writer + 1);
        // Of its own keys each knows what they have; 0 for nothing.
        std::array<uint64_t, kKeysEach> last{};
        std::vector<uint8_t> into(256 * 1024);
        Later later;
        uint64_t version = 0;
        while (std::chrono::steady_clock::now() < until) {
          const uint64_t own = random.Below(kKeysEach);
          const uint64_t key = writer * kKeysEach + own;
          const std::string name = "key " + std::to_string(key);
          const uint64_t what = random.Below(10);
          version += 1;
          Written kind = Written::kDone;
          if (what == 0) {
            store->Delete(SliceOf(name), file::Drafts::kFenced, later.Done());
            kind = later.Wait();
            if (kind == Written::kDone) last[own] = 0;
          } else if (what < 6) {
            const auto value = Made(key, version, random.Below(4000));
            store->Set(SliceOf(name), MetadataOf(), value.size(), ChunksOf(value), later.Done());
            kind = later.Wait();
            if (kind == Written::kDone) last[own] = version;
          } else if (what == 6) {
            const auto value = Made(key, version, 100'000 + random.Below(100'000));
            const auto draft = store->BeginDraft(SliceOf(name));
            for (const auto& chunk : ChunksOf(value)) {
              draft->Write(chunk, later.Done());
              kind = later.Wait();
              if (kind != Written::kDone) break;
            }
            if (kind == Written::kDone) {
              draft->Commit(MetadataOf(), later.Done());
              kind = later.Wait();
              if (kind == Written::kDone) last[own] = version;
            }
          } else {
            const bool mine = random.Below(2) == 0;
            const uint64_t other = mine ? key : random.Below(kWriters * kKeysEach);
            const auto value =
                Read(*store, "key " + std::to_string(other), into, random.Below(2) == 0);
            (value ? hits : misses) += 1;
            uint64_t seen = 0;
            if (value && !IsMade(*value, other, &seen)) wrong += 1;
            // Without a promise of a write, an older one may be seen for a moment.
            const bool promised = durability != file::Durability::kNone;
            if (value && mine && promised && seen != last[own]) wrong += 1;
            continue;
          }
          writes += 1;
          const auto stats = store->stats();
          if (stats.bytes > stats.max_bytes) over += 1;
        }
      });
    }
    threads.emplace_back([&] {
      while (std::chrono::steady_clock::now() < until) {
        static_cast<void>(store->Checkpoint().ok());
        for (size_t shard = 0; shard < file::DiskIndex::kShards; shard++) {
          static_cast<void>(store->Scan(shard));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
    });
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
    CHECK(over == 0);
    const auto stats = store->stats();
    MESSAGE(writes.load() << " writes, " << hits.load() << " hits, " << misses.load() << " misses, "
                          << stats.evictions << " evictions, " << stats.reclaimed_segments
                          << " segments reclaimed, " << stats.refusals << " refused");
    CHECK(stats.corrupt == 0);
    CHECK(stats.read_errors == 0);
    const Status closed = store->Close();
    CHECK_MESSAGE(closed.ok(), closed.message());
    const uint64_t entries = store->stats().entries;
    store.reset();
    executor->Stop(MonotonicClock::kNever);
    CHECK(OpenDescriptors() >= 0);
    Store again(PosixEnv(), options.dir, options);
    REQUIRE_MESSAGE(again.ok(), again.error());
    CHECK(again->recovered().clean);
    CHECK(again->stats().entries == entries);
    CHECK(BlocksOf(PosixEnv(), options.dir) <= again->stats().bytes);
  }
}
