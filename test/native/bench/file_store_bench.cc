// What the file store costs per call, without Node. make -C test/native bench
//
//   build/bench/file_store_bench [ENTRIES]     opens, index and image with so many entries (100000)

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string>
#include <vector>

#include "file_store/file_registry.h"
#include "file_store/format/metadata.h"
#include "io/env_posix.h"

using namespace drey;
using namespace drey::file;

namespace {

double Now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

void Fail(const char* what) {
  std::fprintf(stderr, "file_store_bench: %s\n", what);
  std::exit(1);
}

void Say(const char* what, double start, uint64_t calls) {
  std::printf("%-52s %8.0f ns\n", what, (Now() - start) / static_cast<double>(calls));
}

// So many operations at a time.
class Window {
 public:
  explicit Window(uint64_t most) : most_(most) {}
  WriteDone Begin() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_ < most_; });
    under_way_ += 1;
    return [this](WriteOutcome outcome) {
      if (outcome.kind != WriteOutcome::Kind::kDone) Fail("a write failed");
      const std::lock_guard guard(mutex_);
      under_way_ -= 1;
      changed_.notify_one();
    };
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return under_way_ == 0; });
  }

 private:
  const uint64_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  uint64_t under_way_ = 0;
};

std::string KeyOf(uint64_t number) { return "https://example.org/" + std::to_string(number); }

class Bench {
 public:
  explicit Bench(const std::string& dir) {
    options_.dir = dir;
    options_.max_bytes = uint64_t{8} << 30;
    options_.env = &PosixEnv();
  }
  FileStore& Open() {
    Result<FileRegistry::Attachment> opened = registry_.Attach(options_, 4);
    if (!opened.ok()) Fail(opened.status().message());
    open_ = opened.Take();
    return open_.directory->store();
  }
  void Close() {
    if (!registry_.Detach(std::move(open_)).ok()) Fail("close");
  }

 private:
  FileRegistry registry_;
  FileStoreOptions options_;
  FileRegistry::Attachment open_;
};

void Set(FileStore& store, uint64_t size, uint64_t count, uint64_t at_a_time, uint64_t keys) {
  const std::vector<uint8_t> value(size, 7);
  const std::vector<uint8_t> metadata = Encode(Metadata{
      .cached_at = 1e12, .fresh_until = 4e12, .etag = {}, .user = {}, .codec = {}, .labels = {}});
  const StoredChunk chunk{.codec = 0, .raw = static_cast<uint32_t>(size), .stored = value};
  Window window(at_a_time);
  for (uint64_t at = 0; at < count; at++) {
    store.Set(SliceOf(KeyOf(at % keys)), metadata, size, std::span(&chunk, 1), window.Begin());
  }
  window.Wait();
}

void Calls(const std::string& dir) {
  Bench bench(dir);
  FileStore& store = bench.Open();
  for (const uint64_t size : {100, 1024, 4096, 65536}) {
    const uint64_t count = size > 10'000 ? 4'000 : 40'000;
    for (const uint64_t at_a_time : {1, 64}) {
      const std::string what =
          "set " + std::to_string(size) + " B, " + std::to_string(at_a_time) + " in flight";
      const double start = Now();
      Set(store, size, count / (at_a_time == 1 ? 8 : 1), at_a_time, 4'000);
      Say(what.c_str(), start, count / (at_a_time == 1 ? 8 : 1));
    }
    std::vector<uint8_t> into(128 * 1024);
    uint64_t found = 0;
    for (uint64_t round = 0; round < 2; round++) {
      const double start = Now();
      for (uint64_t at = 0; at < 40'000; at++) {
        Opened opened;
        const std::string key = KeyOf(at * 7919 % 4'000);
        Find kind = store.FindNow(SliceOf(key), false, into, &opened);
        if (kind == Find::kWait) kind = store.FindWaiting(SliceOf(key), false, into, &opened);
        found += kind == Find::kFound ? 1 : 0;
      }
      if (round == 0) continue;
      Say(("get " + std::to_string(size) + " B, page cache warm").c_str(), start, 40'000);
    }
    if (found == 0) Fail("nothing was found");
  }
  bench.Close();
}

void Many(const std::string& dir, uint64_t entries) {
  Bench bench(dir);
  FileStore& store = bench.Open();
  Set(store, 100, entries, 64, entries);
  const FileStore::Stats stats = store.stats();
  std::printf("%-52s %8.1f B\n", "index, an entry",
              static_cast<double>(stats.index_bytes) / static_cast<double>(stats.entries));
  std::printf("%-52s %8.1f B\n", "disk, an entry of 100 B beside it and its key",
              static_cast<double>(stats.bytes_written) / static_cast<double>(stats.entries) - 100 -
                  static_cast<double>(KeyOf(entries / 2).size()));
  double start = Now();
  bench.Close();
  std::printf("%-52s %8.1f ms\n", "close, with an image", (Now() - start) / 1e6);
  start = Now();
  const FileStore& again = bench.Open();
  std::printf("%-52s %8.1f ms\n", "open after it", (Now() - start) / 1e6);
  if (again.stats().entries != stats.entries) Fail("entries are missing");
  bench.Close();
}

}  // namespace

int main(int count, char** given) {
  const long wanted = count > 1 ? std::atol(given[1]) : 100'000;
  char folder[] = "/tmp/drey-file-bench-XXXXXX";
  if (::mkdtemp(folder) == nullptr) Fail("no temporary folder");
  Calls(std::string(folder) + "/calls");
  Many(std::string(folder) + "/many", static_cast<uint64_t>(std::max(wanted, 1L)));
  return std::system(("rm -rf " + std::string(folder)).c_str()) == 0 ? 0 : 1;
}
