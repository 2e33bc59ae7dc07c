#include "io/lane.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace drey {

Status Lane::AddThread(const std::shared_ptr<Lane>& self, const std::string& name,
                       Thread::Priority priority) noexcept {
  size_t number = 0;
  {
    const std::lock_guard lock(self->mutex_);
    // In the place of one that has gone.
    while (number < self->members_.size() &&
           !(self->members_[number].ended && !self->members_[number].thread.owned())) {
      number += 1;
    }
    if (number == self->members_.size()) self->members_.emplace_back();
    self->members_[number].ended = false;
    self->alive_ += 1;
    self->stats_.threads += 1;
  }
  Result<Thread> started = Thread::Start(name, priority, [self, number] { self->Serve(number); });
  const std::lock_guard lock(self->mutex_);
  if (started.ok()) {
    self->members_[number].thread = started.Take();
    return {};
  }
  self->members_[number].ended = true;
  self->alive_ -= 1;
  self->stats_.threads -= 1;
  return started.TakeStatus();
}

Status Lane::Resize(const std::shared_ptr<Lane>& self, uint32_t threads, const std::string& name,
                    Thread::Priority priority) noexcept {
  const std::lock_guard resizing(self->resizing_);
  uint32_t more = 0;
  std::vector<Thread> ended;
  {
    const std::lock_guard lock(self->mutex_);
    if (self->state_ != State::kOpen) return {};
    self->wanted_ = threads;
    more = threads - std::min(threads, self->alive_);
    self->work_.notify_all();
    for (Member& member : self->members_) {
      if (member.ended && member.thread.owned()) ended.push_back(std::move(member.thread));
    }
  }
  for (Thread& thread : ended) thread.Join();
  for (; more > 0; more--) {
    Status added = AddThread(self, name + "-" + std::to_string(threads - more), priority);
    if (!added.ok()) return added;
  }
  return {};
}

Executor::Submitted Lane::Submit(std::unique_ptr<Task>& task) noexcept {
  const uint64_t now = clock_.Nanoseconds();
  bool somebody_waits = false;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != State::kOpen) return Executor::Submitted::kStopped;
    if (stats_.queued >= most_queued_) {
      stats_.refused += 1;
      return Executor::Submitted::kFull;
    }
    task->submitted_ = now;
    Task* const added = task.get();
    (last_ == nullptr ? first_ : last_->next_) = std::move(task);
    last_ = added;
    stats_.queued += 1;
    somebody_waits = idle_ > 0;
  }
  if (somebody_waits) work_.notify_one();
  return Executor::Submitted::kTaken;
}

void Lane::Serve(size_t number) noexcept {
  std::unique_lock lock(mutex_);
  const auto too_many = [this] { return state_ == State::kOpen && alive_ > wanted_; };
  while (true) {
    while (first_ == nullptr && state_ == State::kOpen && !too_many()) {
      idle_ += 1;
      work_.wait(lock);
      idle_ -= 1;
    }
    if (first_ == nullptr) break;
    if (too_many()) {
      // It may have been woken for that task.
      if (idle_ > 0) work_.notify_one();
      break;
    }
    std::unique_ptr<Task> task = std::move(first_);
    first_ = std::move(task->next_);
    if (first_ == nullptr) last_ = nullptr;
    stats_.queued -= 1;
    stats_.running += 1;
    lock.unlock();
    const uint64_t now = clock_.Nanoseconds();
    const uint64_t waited = now - std::min(now, task->submitted_);
    task->Run();
    task.reset();
    lock.lock();
    stats_.running -= 1;
    stats_.done += 1;
    stats_.waited_nanoseconds += waited;
    stats_.longest_wait_nanoseconds = std::max(stats_.longest_wait_nanoseconds, waited);
  }
  members_[number].ended = true;
  alive_ -= 1;
  stats_.threads -= state_ == State::kOpen ? 1 : 0;
  // While the lock is held, because who waits for it may let go of the lane next.
  ended_.notify_all();
}

void Lane::BeginStop() noexcept {
  const std::lock_guard lock(mutex_);
  if (state_ == State::kOpen) state_ = State::kStopping;
  work_.notify_all();
}

Executor::Stopped Lane::EndStop(uint64_t deadline) noexcept {
  Executor::Stopped stopped;
  std::unique_lock lock(mutex_);
  while (alive_ > 0 && clock_.Nanoseconds() < deadline) clock_.WaitUntil(ended_, lock, deadline);
  state_ = State::kAbandoned;
  std::unique_ptr<Task> dropped = std::move(first_);
  last_ = nullptr;
  stopped.dropped = std::exchange(stats_.queued, 0);
  stats_.dropped += stopped.dropped;
  // Those in no task end in an instant, whatever the deadline.
  while (alive_ > stats_.running) ended_.wait(lock);
  stopped.stuck = alive_;
  std::vector<Thread> ended;
  for (Member& member : members_) {
    if (!member.thread.owned()) continue;
    if (member.ended) {
      ended.push_back(std::move(member.thread));
    } else {
      member.thread.Detach();
    }
  }
  lock.unlock();
  for (Thread& thread : ended) thread.Join();
  while (dropped != nullptr) {
    std::unique_ptr<Task> next = std::move(dropped->next_);
    dropped->Drop();
    dropped = std::move(next);
  }
  return stopped;
}

Executor::Stats Lane::stats() const noexcept {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace drey
