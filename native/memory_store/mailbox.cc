#include "memory_store/mailbox.h"

#include <utility>

namespace drey {

void Mailbox::Post(uint64_t token, uint32_t events) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const auto [place, is_new] = places_.try_emplace(token, letters_.size());
    if (is_new) {
      letters_.push_back({token, events});
    } else {
      letters_[place->second].events |= events;
    }
    if (std::exchange(woken_, true)) return;
    calling_ += 1;
  }
  wake_(context_);
  const std::lock_guard lock(mutex_);
  calling_ -= 1;
  // While the lock is held: once Close returns, this may be gone.
  if (closed_ && calling_ == 0) quiet_.notify_all();
}

void Mailbox::Drain(std::vector<Letter>& letters) {
  letters.clear();
  const std::lock_guard lock(mutex_);
  letters.swap(letters_);
  places_.clear();
  woken_ = false;
}

void Mailbox::Close() noexcept {
  std::unique_lock lock(mutex_);
  closed_ = true;
  letters_.clear();
  places_.clear();
  quiet_.wait(lock, [this] { return calling_ == 0; });
}

}  // namespace drey
