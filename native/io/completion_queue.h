#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "core/status.h"

namespace drey {

// That an operation has ended, and how. What is larger than this (bytes, words of a failure) stays
// with the operation, which its id finds.
struct Completion {
  uint64_t id = 0;
  Status::Code code = Status::Code::kOk;
  // What the operation makes of them.
  int32_t detail = 0;
  uint64_t first = 0;
  uint64_t second = 0;
};

// Brings completions from the threads of an executor to the loop of one environment: one wake-up,
// and one call, for all that have ended.
//
// Invariants:
//  - Bounded: there is room for every operation that was reserved, so a push never waits, never
//  allocates and never finds the queue full.
//  - Nothing is lost: what is pushed is drained, in the order of the pushes, unless Close comes
//  before.
//  - `wake` is called without any lock, on the thread that pushes, when the queue was empty before;
//  not again until a drain has left it empty. It must not wait.
//  - After Close has returned, no call of `wake` is under way and none will come.
//
// Reserve, Cancel and Drain are for the thread of the loop, Push for any; Close for any but one
// that is in `wake`. Producers share the queue (std::shared_ptr), because they may outlive the
// loop.
class CompletionQueue {
 public:
  using Wake = void (*)(void* context);

  // At most `capacity` operations are under way at a time.
  CompletionQueue(uint32_t capacity, Wake wake, void* context) noexcept;
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;

  // Room for one completion; false when as many operations are under way as may, or it is closed.
  [[nodiscard]] bool Reserve() noexcept;
  // Gives room back that was reserved for an operation which was not begun after all.
  void Cancel() noexcept;
  // Uses up a reservation. False when the queue is closed: nobody will hear of it.
  bool Push(const Completion& completion) noexcept;
  // The next completions, oldest first: how many. Fewer than `into` holds means that there were no
  // more and that the next push wakes again; otherwise drain again.
  [[nodiscard]] size_t Drain(std::span<Completion> into) noexcept;
  void Close() noexcept;

  // Operations that were reserved, and whose completion was not drained yet.
  uint32_t under_way() const noexcept;

 private:
  const uint32_t capacity_;
  const Wake wake_;
  void* const context_;
  mutable std::mutex mutex_;
  // Guarded by mutex_, all below.
  std::condition_variable quiet_;
  // A ring: `count_` completions from `start_` on.
  const std::unique_ptr<Completion[]> ring_;
  uint32_t start_ = 0;
  uint32_t count_ = 0;
  uint32_t reserved_ = 0;
  uint32_t calling_ = 0;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace drey
