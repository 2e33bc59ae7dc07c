// Lanes that wait for nobody, queues that end, and a stop that always comes to its end.

#include "io/executor.h"

#include <doctest/doctest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/manual_time.h"

using namespace drey;
using namespace drey::test;

namespace {

using Submitted = Executor::Submitted;

class Work final : public Task {
 public:
  explicit Work(std::function<void()> run, std::function<void()> drop = nullptr)
      : run_(std::move(run)), drop_(std::move(drop)) {}
  void Run() noexcept override { run_(); }
  void Drop() noexcept override {
    if (drop_) drop_();
  }

 private:
  std::function<void()> run_;
  std::function<void()> drop_;
};

// Something to wait for, as often as one likes.
class Gate {
 public:
  void Open() {
    open_ = true;
    open_.notify_all();
  }
  void Wait() { open_.wait(false); }

 private:
  std::atomic<bool> open_ = false;
};

std::unique_ptr<Executor> Start(const Executor::Options& options) {
  Result<std::unique_ptr<Executor>> started = Executor::Start(options);
  REQUIRE(started.ok());
  return started.Take();
}

Submitted Submit(Executor& executor, Executor::LaneName lane, std::function<void()> run,
                 std::function<void()> drop = nullptr) {
  std::unique_ptr<Task> task = std::make_unique<Work>(std::move(run), std::move(drop));
  const Submitted submitted = executor.Submit(lane, task);
  CHECK((task == nullptr) == (submitted == Submitted::kTaken));
  return submitted;
}

// Threads of this process; -1 where the system does not tell.
int Threads() {
  std::error_code error;
  std::filesystem::directory_iterator entries("/proc/self/task", error);
  if (error) return -1;
  int count = 0;
  for (const auto& entry : entries) count += entry.path().empty() ? 0 : 1;
  return count;
}

// The system's list keeps a thread for an instant after it was joined.
bool ThreadsAre(int count) {
  while (Threads() > count) std::this_thread::yield();
  return Threads() == count;
}

}  // namespace

TEST_CASE("executor: a lane that is stuck holds up no other, and its queue has an end") {
  ManualTime time;
  const auto executor = Start({.lanes = {{{2, 3}, {1, 10}, {1, 10}}}, .clock = &time});
  Gate gate;
  Gate in[2];
  for (Gate& entered : in) {
    REQUIRE(Submit(*executor, Executor::kRead, [&] {
              entered.Open();
              gate.Wait();
            }) == Submitted::kTaken);
  }
  for (Gate& entered : in) entered.Wait();
  std::atomic<int> ran = 0;
  for (int turn = 0; turn < 3; turn++) {
    CHECK(Submit(*executor, Executor::kRead, [&] { ran += 1; }) == Submitted::kTaken);
  }
  CHECK(Submit(*executor, Executor::kRead, [&] { ran += 100; }) == Submitted::kFull);
  time.Advance(500);
  for (const Executor::LaneName lane : {Executor::kWrite, Executor::kMaintenance}) {
    Gate done;
    REQUIRE(Submit(*executor, lane, [&] { done.Open(); }) == Submitted::kTaken);
    done.Wait();
  }
  CHECK(ran == 0);
  const Executor::Stats stuck = executor->stats(Executor::kRead);
  CHECK(stuck.threads == 2);
  CHECK(stuck.running == 2);
  CHECK(stuck.queued == 3);
  CHECK(stuck.refused == 1);
  gate.Open();
  const Executor::Stopped stopped = executor->Stop(MonotonicClock::kNever);
  CHECK(stopped.dropped == 0);
  CHECK(stopped.stuck == 0);
  CHECK(ran == 3);
  const Executor::Stats stats = executor->stats(Executor::kRead);
  CHECK(stats.done == 5);
  CHECK(stats.running == 0);
  CHECK(stats.queued == 0);
  CHECK(stats.longest_wait_nanoseconds == 500);
  CHECK(stats.waited_nanoseconds == 1500);
  CHECK(Submit(*executor, Executor::kRead, [] {}) == Submitted::kStopped);
}

TEST_CASE("executor: tasks of a lane begin in their order, those that tasks submit too") {
  const auto executor = Start({});
  std::vector<int> order;
  Gate done;
  std::function<void(int)> next = [&](int number) {
    order.push_back(number);
    if (number < 100) {
      REQUIRE(Submit(*executor, Executor::kWrite, [&next, number] { next(number + 2); }) ==
              Submitted::kTaken);
    } else if (number == 101) {
      done.Open();
    }
  };
  Gate both;
  REQUIRE(Submit(*executor, Executor::kWrite, [&] { both.Wait(); }) == Submitted::kTaken);
  REQUIRE(Submit(*executor, Executor::kWrite, [&] { next(0); }) == Submitted::kTaken);
  REQUIRE(Submit(*executor, Executor::kWrite, [&] { next(1); }) == Submitted::kTaken);
  both.Open();
  done.Wait();
  CHECK(executor->Stop(MonotonicClock::kNever).dropped == 0);
  for (int at = 0; at < static_cast<int>(order.size()); at++) CHECK(order[size_t(at)] == at);
  CHECK(order.size() == 102);
}

TEST_CASE("executor: at the deadline what waits is dropped, and who is stuck is let go") {
  const int threads = Threads();
  ManualTime time;
  // What a stuck task holds, lives as long as it.
  const auto gate = std::make_shared<Gate>();
  const std::weak_ptr<Gate> alive = gate;
  std::atomic<int> dropped = 0;
  std::atomic<int> ran = 0;
  {
    auto executor = Start({.lanes = {{{1, 10}, {3, 10}, {1, 10}}}, .clock = &time});
    const auto entered = std::make_shared<Gate>();
    REQUIRE(Submit(*executor, Executor::kRead, [gate, entered] {
              entered->Open();
              gate->Wait();
            }) == Submitted::kTaken);
    entered->Wait();
    for (int turn = 0; turn < 5; turn++) {
      REQUIRE(Submit(
                  *executor, Executor::kRead, [&] { ran += 1; }, [&] { dropped += 1; }) ==
              Submitted::kTaken);
    }
    const uint64_t deadline = time.Nanoseconds() + 1000;
    std::thread passes([&] {
      while (time.waiting() == 0) std::this_thread::yield();
      CHECK(dropped == 0);
      time.Advance(1000);
    });
    const Executor::Stopped stopped = executor->Stop(deadline);
    passes.join();
    CHECK(stopped.dropped == 5);
    CHECK(stopped.stuck == 1);
    CHECK(dropped == 5);
    CHECK(ran == 0);
    CHECK(executor->stats(Executor::kRead).dropped == 5);
    // Only the one that is stuck is left.
    if (threads >= 0) CHECK(ThreadsAre(threads + 1));
    const Executor::Stopped again = executor->Stop(deadline);
    CHECK(again.dropped == 0);
    CHECK(again.stuck == 1);
  }
  // Executor and clock may be gone by the time it comes back.
  gate->Open();
  if (threads >= 0) CHECK(ThreadsAre(threads));
  while (alive.use_count() > 1) std::this_thread::yield();
  CHECK(dropped == 5);
}

TEST_CASE("executor: stopped while all submit, each task is run or dropped, once") {
  for (int round = 0; round < 30; round++) {
    const int threads = Threads();
    std::atomic<uint64_t> taken = 0;
    std::atomic<uint64_t> ran = 0;
    std::atomic<uint64_t> dropped = 0;
    std::atomic<uint64_t> destroyed = 0;
    struct Counted {
      std::atomic<uint64_t>* count;
      ~Counted() { *count += 1; }
    };
    const auto executor = Start({.lanes = {{{2, 50}, {2, 50}, {1, 50}}}});
    std::atomic<bool> go_on = true;
    std::vector<std::thread> submitters;
    for (int submitter = 0; submitter < 3; submitter++) {
      submitters.emplace_back([&, submitter] {
        const auto lane = static_cast<Executor::LaneName>(submitter);
        while (go_on) {
          const auto counted = std::make_shared<Counted>(&destroyed);
          std::unique_ptr<Task> task =
              std::make_unique<Work>([&ran, counted] { ran += 1; }, [&dropped] { dropped += 1; });
          const Submitted submitted = executor->Submit(lane, task);
          if (submitted == Submitted::kStopped) return;
          if (submitted == Submitted::kTaken) taken += 1;
        }
      });
    }
    while (ran < 100) std::this_thread::yield();
    const bool at_once = round % 2 == 0;
    const Executor::Stopped stopped = executor->Stop(at_once ? 0 : MonotonicClock::kNever);
    if (!at_once) CHECK(stopped.dropped == 0);
    if (!at_once) CHECK(stopped.stuck == 0);
    go_on = false;
    for (std::thread& submitter : submitters) submitter.join();
    // Those that were running may be still; those that were dropped have been told.
    CHECK(stopped.dropped == dropped);
    while (ran + stopped.dropped < taken) std::this_thread::yield();
    CHECK(ran + dropped == taken);
    CHECK(destroyed >= dropped);
    if (threads >= 0) CHECK(ThreadsAre(threads));
  }
}

TEST_CASE("executor: options that cannot be are refused") {
  const Status no_thread = Executor::Start({.lanes = {{{1, 1}, {0, 1}, {1, 1}}}}).TakeStatus();
  CHECK(no_thread.code() == Status::Code::kInvalidArgument);
  CHECK(std::string(no_thread.message()).find("write") != std::string::npos);
  CHECK(!Executor::Start({.lanes = {{{1, 0}, {1, 1}, {1, 1}}}}).ok());
}
