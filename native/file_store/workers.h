#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "io/executor.h"

namespace drey::file {

// Where the store's work runs that may wait for a disk.
class Workers {
 public:
  virtual ~Workers() = default;

  // False when it is not taken: there is too much of it, or no more is.
  [[nodiscard]] virtual bool Run(Executor::LaneName lane, std::function<void()> work) = 0;
};

// On the threads of an executor.
class ExecutorWorkers final : public Workers {
 public:
  explicit ExecutorWorkers(Executor& executor) noexcept : executor_(executor) {}

  bool Run(Executor::LaneName lane, std::function<void()> work) override {
    std::unique_ptr<Task> task = std::make_unique<Call>(std::move(work));
    return executor_.Submit(lane, task) == Executor::Submitted::kTaken;
  }

 private:
  class Call final : public Task {
   public:
    explicit Call(std::function<void()> work) noexcept : work_(std::move(work)) {}
    void Run() noexcept override { work_(); }
    // What the store has to do is done before its executor is stopped: what is dropped is a read.
    void Drop() noexcept override {}

   private:
    const std::function<void()> work_;
  };

  Executor& executor_;
};

}  // namespace drey::file
