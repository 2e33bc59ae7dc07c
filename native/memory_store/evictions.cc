#include "memory_store/evictions.h"

#include <algorithm>
#include <utility>

namespace drey {

void Evictions::Listen(bool on) {
  const std::lock_guard lock(mutex_);
  if (on) {
    listeners_.fetch_add(1, std::memory_order_relaxed);
  } else if (listeners_.fetch_sub(1, std::memory_order_relaxed) == 1) {
    Forget();
  }
}

void Evictions::Add(Slice key) {
  const std::lock_guard lock(mutex_);
  // The last listener may have gone since the caller asked.
  if (!heard()) return;
  if (keys_.size() == kMostKeys || bytes_ + key.size() > std::min(kMostBytes, ledger_.max() / 16)) {
    untold_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  keys_.emplace_back(key.begin(), key.end());
  bytes_ += key.size();
  charged_ += CostOf(key);
  ledger_.Charge(CostOf(key));
}

Evictions::Keys Evictions::Take() {
  Keys keys;
  const std::lock_guard lock(mutex_);
  keys.swap(keys_);
  Forget();
  return keys;
}

void Evictions::Forget() noexcept {
  ledger_.Give(charged_);
  charged_ = 0;
  bytes_ = 0;
  Keys().swap(keys_);
}

}  // namespace drey
