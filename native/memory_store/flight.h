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
//  - While a flight is in its shard's table and not fenced, every other claim of its key joins it.
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

  Flight(std::shared_ptr<MemoryStore> store, Shard& shard, Owner owner, Hash128 hash, Slice key);

  // -- For the leader.

  // A body arrives. `draft` was begun with this flight as its pass; its commit and abort end the
  // flight.
  void Grow(std::shared_ptr<Draft> draft, Note note);
  // Ends it with kAnswered or a failure; does nothing when it has ended.
  void End(State state, Note note) noexcept;
  // Nobody may join any more; those who have go on. Nothing will be committed.
  void Close() noexcept;
  // Where to tell when the last follower has left.
  void SetLeader(std::shared_ptr<Mailbox> mailbox, uint64_t token);

  // -- For those who joined.

  View Follow(std::shared_ptr<Mailbox> mailbox, uint64_t token);
  void Unfollow(const Mailbox* mailbox, uint64_t token) noexcept;
  View Look() const;
  // How many have joined and not left.
  uint32_t joined() const noexcept { return joined_.load(std::memory_order_relaxed); }
  void Join() noexcept { joined_.fetch_add(1, std::memory_order_relaxed); }
  void Leave();

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
  void LeaveTable() noexcept;
  void Tell(uint32_t events) const;

  const std::shared_ptr<MemoryStore> store_;
  Shard& shard_;
  std::atomic<uint32_t> joined_{0};

  // Taken alone.
  mutable std::mutex mutex_;
  // Guarded by mutex_, all below.
  State state_ = State::kAsking;
  Note note_;
  std::shared_ptr<Draft> draft_;
  std::vector<Follower> followers_;
  Follower leader_{};
};

}  // namespace drey
