#pragma once

#include <cstdint>
#include <memory>

namespace drey {

// A piece of work for the executor, which owns it from Submit on. It links itself into its queue,
// so that an operation that has an object of its own anyway costs no further allocation.
//
// Exactly one of Run and Drop is called, once, and the task is destroyed after it by the same
// thread. What it uses, it owns or shares: a thread that is stuck in a system call outlives Stop,
// and its task with it.
class Task {
 public:
  Task() noexcept = default;
  virtual ~Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  // On a thread of its lane, without any lock.
  virtual void Run() noexcept = 0;
  // Instead of Run, when the executor stops before its turn: on the thread that stops it.
  virtual void Drop() noexcept = 0;

 private:
  friend class Lane;

  std::unique_ptr<Task> next_;
  uint64_t submitted_ = 0;
};

}  // namespace drey
