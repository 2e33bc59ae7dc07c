#include "io/completion_queue.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace drey {

CompletionQueue::CompletionQueue(uint32_t capacity, Wake wake, void* context) noexcept
    : capacity_(capacity),
      wake_(wake),
      context_(context),
      ring_(std::make_unique<Completion[]>(capacity)) {}

bool CompletionQueue::Reserve() noexcept {
  const std::lock_guard lock(mutex_);
  if (closed_ || reserved_ == capacity_) return false;
  reserved_ += 1;
  return true;
}

void CompletionQueue::Cancel() noexcept {
  const std::lock_guard lock(mutex_);
  // Closing has given all of it back.
  if (closed_) return;
  assert(reserved_ > count_);
  reserved_ -= 1;
}

bool CompletionQueue::Push(const Completion& completion) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    assert(count_ < reserved_);
    ring_[(uint64_t{start_} + count_) % capacity_] = completion;
    count_ += 1;
    if (std::exchange(woken_, true)) return true;
    calling_ += 1;
  }
  wake_(context_);
  const std::lock_guard lock(mutex_);
  calling_ -= 1;
  // While the lock is held: once Close returns, this may be gone.
  if (closed_ && calling_ == 0) quiet_.notify_all();
  return true;
}

size_t CompletionQueue::Drain(std::span<Completion> into) noexcept {
  const std::lock_guard lock(mutex_);
  const auto taken = static_cast<uint32_t>(std::min<size_t>(count_, into.size()));
  for (uint32_t at = 0; at < taken; at++) into[at] = ring_[(uint64_t{start_} + at) % capacity_];
  if (taken > 0) start_ = static_cast<uint32_t>((uint64_t{start_} + taken) % capacity_);
  count_ -= taken;
  reserved_ -= taken;
  // A full array is drained again by who called, so that it may take no second wake-up.
  if (taken < into.size()) woken_ = false;
  return taken;
}

void CompletionQueue::Close() noexcept {
  std::unique_lock lock(mutex_);
  closed_ = true;
  count_ = 0;
  reserved_ = 0;
  quiet_.wait(lock, [this] { return calling_ == 0; });
}

uint32_t CompletionQueue::under_way() const noexcept {
  const std::lock_guard lock(mutex_);
  return reserved_;
}

}  // namespace drey
