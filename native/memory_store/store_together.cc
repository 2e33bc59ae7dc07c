// Changes of several keys that are made in one step.

#include <thread>

#include "memory_store/store.h"

namespace drey {
namespace {

using SteadyClock = std::chrono::steady_clock;

}  // namespace

void MemoryStore::HoldOff() noexcept {
  held_off_.store((SteadyClock::now() + kPatience).time_since_epoch().count(),
                  std::memory_order_relaxed);
}

bool MemoryStore::CommitAll(std::span<const Together> parts) {
  for (const Together& part : parts) {
    if (part.metadata.text_size() <= kMostTextBytes) continue;
    CountRefusal();
    return false;
  }
  // Once, however often it is held off meanwhile: nobody waits for ever.
  const SteadyClock::rep until = held_off_.load(std::memory_order_relaxed);
  while (until != 0 && SteadyClock::now().time_since_epoch().count() < until) {
    std::this_thread::yield();
  }
  for (const auto& shard : shards_) shard->mutex.lock();
  const bool done = CommitAllLocked(parts);
  for (const auto& shard : shards_) shard->mutex.unlock();
  if (done) {
    for (const Together& part : parts) part.draft->pass_->OnCommitted();
  } else {
    CountRefusal();
  }
  Settle();
  return done;
}

bool MemoryStore::CommitAllLocked(std::span<const Together> parts) {
  // Under all locks: who finds one of the new values does so after the last of them is there, and
  // counts this batch whenever it counts next.
  batches_.fetch_add(1, std::memory_order_relaxed);
  size_t count = 0;
  std::vector<bool> committed(parts.size());
  bool kept = true;
  for (; count < parts.size() && kept; count++) {
    const Draft::Outcome outcome = CommitOneLocked(parts[count]);
    committed[count] = outcome == Draft::Outcome::kDone;
    // One that a delete fenced came before that delete, and is gone.
    kept = committed[count] || outcome == Draft::Outcome::kFenced;
  }
  const auto shard_of = [&](const Together& part) -> Shard& { return part.draft->shard_; };
  const auto pass_of = [&](const Together& part) -> const Pass& { return *part.draft->pass_; };
  // The last may have pushed out the first.
  for (size_t at = 0; at < count && kept; at++) {
    const Pass& pass = pass_of(parts[at]);
    kept = !committed[at] || shard_of(parts[at]).Find(pass.hash(), pass.key()) != kNoHandle;
  }
  for (size_t at = 0; at < count && !kept; at++) {
    const Pass& pass = pass_of(parts[at]);
    if (committed[at]) static_cast<void>(shard_of(parts[at]).Remove(pass.hash(), pass.key()));
  }
  return kept;
}

Draft::Outcome MemoryStore::CommitOneLocked(const Together& part) {
  Shard* const own = &part.draft->shard_;
  for (size_t tries = 0;; tries++) {
    const Draft::Outcome outcome = part.draft->CommitLocked(part.metadata, false);
    if (outcome != Draft::Outcome::kNoRoom || tries == 4 * shards_.size()) return outcome;
    bool freed = false;
    for (size_t at = 0; at < shards_.size() && !freed; at++) {
      freed = shards_[at].get() != own && shards_[at]->FreePage();
    }
    if (!freed) return outcome;
  }
}

}  // namespace drey
