#include "memory_store/evictions.h"

#include <utility>

#include "memory_store/metadata.h"

namespace drey {

void Evictions::Listen(bool on) {
  const std::lock_guard lock(mutex_);
  if (on) {
    listeners_.fetch_add(1, std::memory_order_relaxed);
  } else if (listeners_.fetch_sub(1, std::memory_order_relaxed) == 1) {
    Forget();
  }
}

void Evictions::Add(Slice key, bool expired) {
  const std::lock_guard lock(mutex_);
  // The last listener may have gone since the caller asked.
  if (!heard()) return;
  if (list_.size() == kMostKeys || bytes_ + key.size() > MostBytes()) {
    untold_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  list_.push_back({{key.begin(), key.end()}, expired});
  bytes_ += key.size();
  charged_ += CostOf(key);
  ledger_.Charge(CostOf(key));
}

Evictions::List Evictions::Take() {
  List list;
  const std::lock_guard lock(mutex_);
  list.swap(list_);
  Forget();
  return list;
}

bool Evictions::HasRoom() {
  const std::lock_guard lock(mutex_);
  return list_.size() < kMostKeys && bytes_ + kMostKeyBytes <= MostBytes();
}

void Evictions::Forget() noexcept {
  ledger_.Give(charged_);
  charged_ = 0;
  bytes_ = 0;
  List().swap(list_);
}

}  // namespace drey
