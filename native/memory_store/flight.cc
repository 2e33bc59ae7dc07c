#include "memory_store/flight.h"

#include <utility>

#include "memory_store/shard.h"
#include "memory_store/store.h"

namespace drey {

Flight::Flight(std::shared_ptr<MemoryStore> store, Shard& shard, Owner owner, Hash128 hash,
               Slice key)
    : Pass(Kind::kFill, owner, hash, key), store_(std::move(store)), shard_(shard) {}

void Flight::Grow(std::shared_ptr<Draft> draft, Note note) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == State::kAsking) {
      state_ = State::kGrowing;
      note_ = std::move(note);
      draft_ = std::move(draft);
    }
  }
  // Where the flight had ended, its owner having died, the draft ends as well.
  if (draft != nullptr) {
    draft->Abort();
    return;
  }
  Tell(Mailbox::kGrew);
}

void Flight::End(State state, Note note) noexcept {
  LeaveTable();
  // Freed after the lock: the draft's last share takes the shard's.
  std::shared_ptr<Draft> draft;
  {
    const std::lock_guard lock(mutex_);
    if (Ended(state_)) return;
    state_ = state;
    note_ = std::move(note);
    draft = std::move(draft_);
  }
  Tell(Mailbox::kEnded);
}

void Flight::Close() noexcept { LeaveTable(); }

void Flight::LeaveTable() noexcept {
  const std::lock_guard lock(shard_.mutex);
  shard_.passes.Leave(*this);
}

void Flight::SetLeader(std::shared_ptr<Mailbox> mailbox, uint64_t token) {
  const std::lock_guard lock(mutex_);
  leader_ = {std::move(mailbox), token};
}

Flight::View Flight::Follow(std::shared_ptr<Mailbox> mailbox, uint64_t token) {
  const std::lock_guard lock(mutex_);
  if (!Ended(state_)) followers_.push_back({std::move(mailbox), token});
  return {state_, note_, draft_};
}

void Flight::Unfollow(const Mailbox* mailbox, uint64_t token) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase_if(followers_, [&](const Follower& follower) {
    return follower.mailbox.get() == mailbox && follower.token == token;
  });
}

Flight::View Flight::Look() const {
  const std::lock_guard lock(mutex_);
  return {state_, note_, draft_};
}

void Flight::Leave() {
  if (joined_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Follower leader;
  {
    const std::lock_guard lock(mutex_);
    leader = leader_;
  }
  if (leader.mailbox != nullptr) leader.mailbox->Post(leader.token, Mailbox::kAlone);
}

void Flight::Tell(uint32_t events) const {
  std::vector<Follower> followers;
  {
    const std::lock_guard lock(mutex_);
    followers = followers_;
  }
  for (const Follower& follower : followers) follower.mailbox->Post(follower.token, events);
}

void Flight::OnOwnerGone() noexcept {
  std::shared_ptr<Draft> draft;
  {
    const std::lock_guard lock(mutex_);
    draft = draft_;
  }
  End(State::kOwnerGone, nullptr);
  if (draft != nullptr) draft->Abort();
}

void Flight::OnGrown() noexcept { Tell(Mailbox::kGrew); }
void Flight::OnCommitted() noexcept { End(State::kCommitted, nullptr); }
void Flight::OnAborted() noexcept { End(State::kFailed, nullptr); }

}  // namespace drey
