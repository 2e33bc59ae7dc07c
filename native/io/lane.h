#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/status.h"
#include "io/executor.h"
#include "io/thread.h"

namespace drey {

// One lane of an executor: see there.
//
// A lane is open, then stopping (takes nothing, runs what it has), then abandoned (has nothing, and
// threads that come back end). Its threads share it.
class Lane {
 public:
  Lane(MonotonicClock& clock, const Executor::LaneOptions& options) noexcept
      : clock_(clock), most_queued_(options.queue) {}
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // One thread more. `self` is this lane.
  static Status AddThread(const std::shared_ptr<Lane>& self, const std::string& name,
                          Thread::Priority priority) noexcept;

  // So many threads from here on, at least 1: those that are too many end after their task.
  static Status Resize(const std::shared_ptr<Lane>& self, uint32_t threads, const std::string& name,
                       Thread::Priority priority) noexcept;

  Executor::Submitted Submit(std::unique_ptr<Task>& task) noexcept;
  void BeginStop() noexcept;
  // Waits for the threads up to `deadline`, joins those that have ended, and lets go of the others.
  Executor::Stopped EndStop(uint64_t deadline) noexcept;
  Executor::Stats stats() const noexcept;

 private:
  enum class State : uint8_t { kOpen, kStopping, kAbandoned };

  struct Member {
    Thread thread;
    // It touches the lane no more, and is joined without waiting for any task.
    bool ended = false;
  };

  // A thread, by its number.
  void Serve(size_t number) noexcept;

  MonotonicClock& clock_;
  const uint32_t most_queued_;
  // Whoever adds threads or takes them away holds it; taken before mutex_.
  std::mutex resizing_;
  mutable std::mutex mutex_;
  // Guarded by mutex_, all below.
  std::condition_variable work_;
  // A thread ended.
  std::condition_variable ended_;
  std::unique_ptr<Task> first_;
  Task* last_ = nullptr;
  uint32_t idle_ = 0;
  uint32_t alive_ = 0;
  // Threads beyond it end.
  uint32_t wanted_ = UINT32_MAX;
  State state_ = State::kOpen;
  Executor::Stats stats_;
  std::vector<Member> members_;
};

}  // namespace drey
