#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/status.h"
#include "io/task.h"

namespace drey {

class Lane;

// Runs tasks on threads of its own, in lanes: what waits in one never waits for what runs in
// another. Node's own four threads are not used, because one slow disk would hold up name
// resolution and the file calls of everybody else in the process.
//
// Invariants:
//  - A lane has its threads, its queue and its lock; nothing is shared between lanes. Tasks of a
//  lane begin in the order in which they came.
//  - A queue is bounded: what does not fit is refused at once and stays the caller's.
//  - Every task that was taken is run or dropped, once, unless it is still running when Stop
//  returns.
//  - No lock is held while a task runs, or is dropped or destroyed.
class Executor {
 public:
  enum LaneName : uint8_t { kRead, kWrite, kMaintenance };
  static constexpr size_t kLanes = 3;

  struct LaneOptions {
    // At least 1.
    uint32_t threads = 1;
    // The most tasks that wait, besides those that run; at least 1.
    uint32_t queue = 1024;
  };
  struct Options {
    std::array<LaneOptions, kLanes> lanes{};
    MonotonicClock* clock = &SteadyClock();
    // The names of threads begin with it. Systems keep 15 bytes of a name.
    std::string name = "drey";
  };

  // kInvalidArgument for an option that is wrong, kIo when the system gives no more threads.
  static Result<std::unique_ptr<Executor>> Start(const Options& options) noexcept;
  // Stop(0), unless it was stopped before: who wants what is running to end stops it first.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  enum class Submitted : uint8_t { kTaken, kFull, kStopped };
  // Takes the task, or leaves it where it is. From any thread, tasks too.
  [[nodiscard]] Submitted Submit(LaneName lane, std::unique_ptr<Task>& task) noexcept;

  // So many threads serve the lane from here on: those that are too many end after their task. When
  // the system gives no more (kIo), as many as there are. Not from a task, nor while it is stopped.
  Status Resize(LaneName lane, uint32_t threads) noexcept;

  struct Stopped {
    uint64_t dropped = 0;
    // Threads that were still in a task when the deadline came. They are detached, touch nothing of
    // the executor but what they share, and end with the task; it is not told.
    uint64_t stuck = 0;
  };
  // Takes nothing more, and runs what is queued until `deadline` (of the clock that was given);
  // what is queued then is dropped. Afterwards no thread of the executor is left but those that are
  // stuck. Again, it does nothing. Not from a task.
  Stopped Stop(uint64_t deadline) noexcept;

  struct Stats {
    uint32_t threads = 0;
    uint64_t queued = 0;
    uint64_t running = 0;
    uint64_t done = 0;
    uint64_t refused = 0;
    uint64_t dropped = 0;
    // How long tasks waited before they began: of all together, and the longest.
    uint64_t waited_nanoseconds = 0;
    uint64_t longest_wait_nanoseconds = 0;
  };
  Stats stats(LaneName lane) const noexcept;

 private:
  Executor() noexcept = default;

  std::string name_;
  // Shared with its threads, so that one that is stuck has something to come back to.
  std::array<std::shared_ptr<Lane>, kLanes> lanes_;
};

}  // namespace drey
