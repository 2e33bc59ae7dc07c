#include "memory_store/flight.h"

#include <utility>

#include "memory_store/shard.h"
#include "memory_store/store.h"

namespace drey {

Flight::Flight(std::shared_ptr<MemoryStore> store, Shard& shard, Kind kind, Owner owner,
               Hash128 hash, Slice key, uint64_t began)
    : Pass(kind, owner, hash, key), store_(std::move(store)), shard_(shard), began_(began) {}

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

void Flight::AtEnd(Note note) {
  const std::lock_guard lock(mutex_);
  answered_ = true;
  at_end_ = std::move(note);
}

void Flight::End(State state, Note note) noexcept { EndWith(state, std::move(note), false); }

void Flight::EndWith(State state, Note note, bool unless_answered) noexcept {
  {
    const std::lock_guard lock(shard_.mutex);
    shard_.passes.Leave(*this);
  }
  // Freed after the lock: the draft's last share takes the shard's.
  std::shared_ptr<Draft> draft;
  {
    const std::lock_guard lock(mutex_);
    if (Ended(state_)) return;
    const bool answered = unless_answered && answered_;
    state_ = answered ? State::kAnswered : state;
    note_ = std::move(answered ? at_end_ : note);
    draft = std::move(draft_);
  }
  Tell(Mailbox::kEnded);
}

// It stays in the table: those who joined must hear of it when its owner dies.
void Flight::Close() noexcept {
  const std::lock_guard lock(shard_.mutex);
  PassTable::FenceOff(*this);
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

void Flight::Leave(bool wanted) {
  if (wanted) wanted_.store(true, std::memory_order_release);
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

bool Flight::fenced() const noexcept {
  const std::lock_guard lock(shard_.mutex);
  return PassTable::Fenced(*this);
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
void Flight::OnAborted() noexcept { EndWith(State::kFailed, nullptr, true); }

}  // namespace drey
