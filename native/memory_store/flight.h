#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "memory_store/draft.h"
#include "memory_store/mailbox.h"
#include "memory_store/pass.h"

namespace drey {

// One call of an origin for a key, for all threads that share the store (I6). Who claimed the key
// first leads it; the others follow what it comes to.
//
// Invariants:
//  - While a flight is in its shard's table and not fenced, every other claim of its key joins it,
//  unless it or the claim is alone.
//  - The state only goes on: asking, growing, and one of the ends. With an end the flight has left
//  the table.
//  - A follower is told of all that happens after Follow has returned; what happened before, Follow
//  returns.
class Flight final : public Pass {
 public:
  enum class State : uint8_t {
    // The origin has not answered.
    kAsking,
    // A body arrives: the draft can be read.
    kGrowing,
    // The value is in the store.
    kCommitted,
    // The origin has answered, and the note says what: nothing is there to be read.
    kAnswered,
    // There is no answer, or the body broke off.
    kFailed,
    // As kFailed, because the leader's environment died.
    kOwnerGone,
  };

  using Note = std::shared_ptr<const std::vector<uint8_t>>;

  struct View {
    State state;
    // What the leader gave with the last change of state. Its meaning is the binding's.
    Note note;
    // From growing on, until the end.
    std::shared_ptr<Draft> draft;
  };

  // `began`: how many invalidations by tag there had been.
  Flight(std::shared_ptr<MemoryStore> store, Shard& shard, Kind kind, Owner owner, Hash128 hash,
         Slice key, uint64_t began);

  uint64_t began() const noexcept { return began_; }

  // -- For the leader.

  // A body arrives. `draft` was begun with this flight as its pass; its commit and abort end the
  // flight.
  void Grow(std::shared_ptr<Draft> draft, Note note);
  // From now on, if a draft of this flight ends without being committed (aborted, fenced, no room),
  // the flight ends with kAnswered and this note instead of kFailed. What ended before stays.
  void AtEnd(Note note);
  // Ends it with kAnswered or a failure; does nothing when it has ended.
  void End(State state, Note note) noexcept;
  // Nobody may join any more; those who have go on, until End. Nothing will be committed.
  void Close() noexcept;
  // Where to tell when the last follower has left.
  void SetLeader(std::shared_ptr<Mailbox> mailbox, uint64_t token);

  // -- For those who joined.

  View Follow(std::shared_ptr<Mailbox> mailbox, uint64_t token);
  void Unfollow(const Mailbox* mailbox, uint64_t token) noexcept;
  View Look() const;
  // How many have joined and not left. When it says 0, wanted() tells of all who left.
  uint32_t joined() const noexcept { return joined_.load(std::memory_order_acquire); }
  // Whether somebody left who had had all it wanted: the fill is worth going on with.
  bool wanted() const noexcept { return wanted_.load(std::memory_order_acquire); }
  void Join() noexcept { joined_.fetch_add(1, std::memory_order_relaxed); }
  // Once for each Join. `wanted`: the caller had all that it wanted.
  void Leave(bool wanted = false);

  // Whether a change came since it was claimed, or it is over: nothing of it is committed any more,
  // and who asks from now on may not be answered by it.
  bool fenced() const noexcept;

  void OnOwnerGone() noexcept override;
  void OnGrown() noexcept override;
  void OnCommitted() noexcept override;
  void OnAborted() noexcept override;

 private:
  struct Follower {
    std::shared_ptr<Mailbox> mailbox;
    uint64_t token;
  };

  static bool Ended(State state) noexcept { return state >= State::kCommitted; }
  // With what AtEnd gave, if `unless_answered` and it was given.
  void EndWith(State state, Note note, bool unless_answered) noexcept;
  void Tell(uint32_t events) const;

  const std::shared_ptr<MemoryStore> store_;
  Shard& shard_;
  const uint64_t began_;
  std::atomic<uint32_t> joined_{0};
  std::atomic<bool> wanted_{false};

  // Taken alone.
  mutable std::mutex mutex_;
  // Guarded by mutex_, all below.
  State state_ = State::kAsking;
  Note note_;
  // What AtEnd gave; it may be null.
  bool answered_ = false;
  Note at_end_;
  std::shared_ptr<Draft> draft_;
  std::vector<Follower> followers_;
  Follower leader_{};
};

}  // namespace drey
