// What the io layer costs per call, without Node. make -C test/native bench

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "io/completion_queue.h"
#include "io/env_posix.h"
#include "io/executor.h"
#include "io/folder.h"

using namespace drey;

namespace {

double Now(clockid_t clock) {
  timespec time;
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

// The thread's own time for what is on one thread, the wall's for what is not.
template <class Call>
void Measure(const char* what, uint64_t calls, clockid_t clock, Call call) {
  const double start = Now(clock);
  call(calls);
  std::printf("%-52s %8.0f ns\n", what, (Now(clock) - start) / static_cast<double>(calls));
}

void Fail(const char* what) {
  std::fprintf(stderr, "io_bench: %s\n", what);
  std::exit(1);
}

class Ping final : public Task {
 public:
  Ping(CompletionQueue& queue, uint64_t id) : queue_(queue), id_(id) {}
  void Run() noexcept override { queue_.Push({.id = id_}); }
  void Drop() noexcept override {}

 private:
  CompletionQueue& queue_;
  const uint64_t id_;
};

}  // namespace

int main() {
  std::string path = "/tmp/drey-bench-XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) Fail("no folder to measure in");
  Env& env = PosixEnv();
  {
    Result<Folder> folder = OpenFolderAt(env, path, Folder::Missing::kRefuse);
    if (!folder.ok()) Fail(folder.status().message());
    Result<File> made = folder.value().OpenFile("file", Env::Access::kCreate);
    if (!made.ok()) Fail(made.status().message());
    File file = made.Take();
    constexpr uint64_t kPages = 1024;
    std::vector<uint8_t> bytes(4096);
    for (uint64_t page = 0; page < kPages; page++) {
      if (!file.WriteFull(page * 4096, bytes).ok()) Fail("write");
    }
    Measure("ReadCached, 4 KiB", 500'000, CLOCK_THREAD_CPUTIME_ID, [&](uint64_t calls) {
      for (uint64_t at = 0; at < calls; at++) {
        const auto cached = file.ReadCached(at * 7 % kPages * 4096, bytes);
        if (cached != File::Cached::kDone) Fail("not from the page cache");
      }
    });
    Measure("ReadFull, 4 KiB, page cache warm", 500'000, CLOCK_THREAD_CPUTIME_ID,
            [&](uint64_t calls) {
              for (uint64_t at = 0; at < calls; at++) {
                if (!file.ReadFull(at * 7 % kPages * 4096, bytes).ok()) Fail("read");
              }
            });
    Measure("WriteFull, 4 KiB, no sync", 200'000, CLOCK_THREAD_CPUTIME_ID, [&](uint64_t calls) {
      for (uint64_t at = 0; at < calls; at++) {
        if (!file.WriteFull(at * 7 % kPages * 4096, bytes).ok()) Fail("write");
      }
    });
    if (!folder.value().Unlink("file").ok()) Fail("unlink");
  }
  if (!env.RemoveFolder(Env::kHere, path.c_str()).ok()) Fail("remove folder");

  CompletionQueue queue(
      64, [](void*) {}, nullptr);
  std::array<Completion, 64> into;
  Measure("completion: reserve, push, drain, 64 at a time", 2'000'000, CLOCK_THREAD_CPUTIME_ID,
          [&](uint64_t calls) {
            for (uint64_t at = 0; at < calls; at += 64) {
              for (int push = 0; push < 64; push++) {
                if (!queue.Reserve()) Fail("no room");
                queue.Push({.id = at});
              }
              if (queue.Drain(into) != 64) Fail("lost");
            }
          });

  std::atomic<uint32_t> woken = 0;
  CompletionQueue loop(
      64,
      [](void* context) {
        auto* const flag = static_cast<std::atomic<uint32_t>*>(context);
        *flag = 1;
        flag->notify_one();
      },
      &woken);
  Result<std::unique_ptr<Executor>> started = Executor::Start({});
  if (!started.ok()) Fail(started.status().message());
  const std::unique_ptr<Executor> executor = started.Take();
  for (const uint32_t flight : {1u, 64u}) {
    const std::string what = "executor: there and back, " + std::to_string(flight) + " in flight";
    Measure(what.c_str(), 100'000, CLOCK_MONOTONIC, [&](uint64_t calls) {
      uint64_t submitted = 0;
      uint64_t came = 0;
      while (came < calls) {
        while (submitted < calls && submitted - came < flight && loop.Reserve()) {
          std::unique_ptr<Task> task = std::make_unique<Ping>(loop, submitted++);
          if (executor->Submit(Executor::kRead, task) != Executor::Submitted::kTaken) Fail("full");
        }
        woken.wait(0);
        woken = 0;
        size_t taken = into.size();
        while (taken == into.size()) {
          taken = loop.Drain(into);
          came += taken;
        }
      }
    });
  }
  executor->Stop(MonotonicClock::kNever);
  return 0;
}
