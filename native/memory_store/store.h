#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/slice.h"
#include "core/status.h"
#include "memory_store/commons.h"
#include "memory_store/draft.h"
#include "memory_store/entry_ref.h"
#include "memory_store/flight.h"
#include "memory_store/metadata.h"
#include "memory_store/shard.h"
#include "memory_store/shared_tags.h"

namespace drey {

struct MemoryStoreOptions {
  // All that the store commits, in bytes: at least 1 MiB.
  uint64_t max_bytes = 0;
  // Larger values are refused; 0 is an eighth of max_bytes.
  uint64_t max_item_bytes = 0;
  PolicyKind policy = PolicyKind::kS3Fifo;
  HashKey hash_key{};
  Clock clock{};
  // A power of two, at most 64; 0 is one for every 64 MiB, at most 16.
  uint32_t shards = 0;
  // How far Configure may raise max_bytes; 0 is the memory of the machine.
  uint64_t ceiling = 0;
  // Null is the real one.
  SystemMemory* system = nullptr;
};

// The memory store: entries of key, value and metadata, in memory that no heap of JS sees, within a
// bound that is true at every moment (I4), for any number of threads.
//
// Invariants:
//  - An entry that is found is a whole one that was committed under that very key (I1, I11).
//  - After a delete, clear or write has returned, nothing that began before will commit under its
//  keys (I5).
//  - Bytes that a caller was given a view of stay as they are until the caller lets go (I9).
// What is in which shard, and who may lock what when, says Shard.
class MemoryStore final : public std::enable_shared_from_this<MemoryStore> {
 public:
  static Result<std::shared_ptr<MemoryStore>> Create(const MemoryStoreOptions& options);
  ~MemoryStore();
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;

  // Longer keys are refused, and so are longer etags and users (kMostTextBytes).
  static constexpr uint64_t kMostKeyBytes = drey::kMostKeyBytes;

  // -- Reading. `peek` reads without counting as a use.

  enum class Copied : uint8_t { kMiss, kDone, kTooLarge };
  // Copies the value to `value`, and etag and user to `text` unless that is empty. kTooLarge: one
  // of them does not fit; `head` says what there is.
  Copied GetCopy(Slice key, std::span<uint8_t> value, std::span<uint8_t> text, Head& head,
                 bool peek = false);
  // Opens the entry; an empty one when there is none.
  EntryRef Find(Slice key, bool peek = false);

  // -- Writing.

  enum class Stored : uint8_t { kDone, kNoRoom, kTooLarge, kFenced, kGone };
  // Sets key to value in one step. With a flight, only if that was not fenced (kFenced); kDone then
  // ends the flight with kCommitted, anything else leaves it open.
  Stored Set(Slice key, Slice value, const Metadata& metadata, Flight* flight = nullptr);
  // Begins an entry; `declared` is its size, or Draft::kUnknown. Null when it cannot be held.
  std::shared_ptr<Draft> Begin(Slice key, uint64_t declared, Owner owner);
  std::shared_ptr<Draft> BeginFor(const std::shared_ptr<Flight>& flight, uint64_t declared);
  // A draft, and what its entry is to say of itself.
  struct Together {
    std::shared_ptr<Draft> draft;
    Metadata metadata;
  };
  // Commits drafts of different keys in one step for all who look: all of them, or, when there is
  // no room, none; then what those keys had may be gone, as what is evicted to make room, and the
  // drafts that were not committed stay open. One that was fenced counts as written and removed
  // again.
  bool CommitAll(std::span<const Together> parts);
  // How often CommitAll was called: what was looked up key by key between two calls that say the
  // same is not partly from before one and partly from after.
  uint64_t batches() const noexcept { return batches_.load(std::memory_order_relaxed); }
  // Has CommitAll of other threads wait from now on, for kPatience at most: for who was overtaken
  // by one again and again. Nobody has to take it back, so that nobody who dies leaves it behind.
  void HoldOff() noexcept;
  static constexpr std::chrono::microseconds kPatience{500};
  // Replaces the metadata of the entry that `version` names, if the key still has it (kGone). With
  // a flight as Set.
  Stored Revise(Slice key, Version version, const Metadata& metadata, Flight* flight = nullptr);
  bool Delete(Slice key);
  // As Delete, of what there is: what is being written under the key may still be committed.
  bool Discard(Slice key);
  // All entries, in one step for all who look. Memory comes back as it is wanted, and by Maintain.
  void Clear();

  // -- One origin call for all threads.

  struct Claimed {
    enum class Kind : uint8_t {
      // The caller asks the origin.
      kLead,
      // Somebody else does: follow, and Leave when done.
      kJoin,
      // The key has an entry that the caller has not seen: look again.
      kLook,
    };
    Kind kind;
    std::shared_ptr<Flight> flight;
  };
  // `seen` is the entry that the caller found and means to have renewed; none by default. `alone`:
  // the caller may not share the answer, so it leads whatever there is, and nobody joins.
  Claimed Claim(Slice key, Owner owner, Version seen = 0, bool alone = false);
  // Ends all flights and drafts of an environment that died. Nothing of that owner may run any
  // more.
  void AbortOwner(Owner owner);

  // What was invalidated by tag: entries are the caller's to judge. No flight that began before an
  // invalidation is joined any more, for nobody knows yet what tags it is going to have.
  SharedTags& tags() noexcept { return tags_; }

  // -- Scanning.

  struct Cursor {
    uint32_t shard = 0;
    uint32_t handle = 0;
  };
  struct Listed {
    std::vector<uint8_t> key;
    std::vector<uint8_t> text;
    Head head;
  };
  // Up to `count` entries; none at the end. What changes meanwhile may be missed; an entry is given
  // once unless it was removed and set anew.
  std::vector<Listed> List(Cursor& cursor, size_t count);

  // -- Hearing of evictions.

  // Counted: as many calls with false as with true end it.
  void Listen(bool on) { commons_.evictions.Listen(on); }
  // The keys of entries that left by the policy's decision or to make room since the last call, in
  // order, while somebody listened. At most Evictions::kMostKeys of them; stats().evictions_untold
  // counts the rest.
  Evictions::List TakeEvicted() { return commons_.evictions.Take(); }

  // -- A host that decides who goes: a policy that is not written in C++. For a store of one
  // thread, which listens for evictions.

  struct Hosted {
    std::vector<uint8_t> key;
    uint64_t weight;
  };
  // From here on nothing that has not expired leaves to make room but by Evict: what needs more
  // room than there is says kNoRoom, and may be tried again when the host has evicted something, or
  // has taken what TakeEvicted tells. Two exceptions keep the bound: where the little things that
  // cannot be refused pass it, and where the host lowers it before it has made room, the entry that
  // came first goes, and is told. What the host keeps of an entry (kHostBytes, and its key) is in
  // the ledger. Says what there is, what the policy would have evicted first at the beginning.
  std::vector<Hosted> Host();
  // The policy decides again.
  void Unhost();
  // What the entry takes of the store, in all; 0 when there is none.
  uint64_t Weight(Slice key);
  // Whether Evict would.
  bool Evictable(Slice key);
  // Has the entry leave to make room. False when there is none, or it is being read.
  bool Evict(Slice key);
  // The entry is, to the policy, one that comes now: called for all in turn, it orders them.
  void Renew(Slice key);
  // By how many bytes the store is beyond `max_bytes`, when all is given back that can be without
  // evicting.
  uint64_t Beyond(uint64_t max_bytes);

  // -- Running it.

  struct Stats {
    uint64_t entries = 0;
    // What is committed, all of it.
    uint64_t bytes = 0;
    uint64_t pinned_bytes = 0;
    // As configured, or lowered by what the system refused; whatever Press withholds of it.
    uint64_t max_bytes = 0;
    uint64_t max_item_bytes = 0;
    uint64_t evictions = 0;
    // Keys that a listener was not told of, because too many waited to be taken.
    uint64_t evictions_untold = 0;
    uint64_t expirations = 0;
    uint64_t refusals = 0;
    // How often the system refused memory.
    uint64_t memory_refusals = 0;
    uint64_t moved_slots = 0;
    // Committed, and in use by nothing: free pages, and free slots of pages that are not.
    uint64_t free_bytes = 0;
    uint64_t index_bytes = 0;
    uint64_t record_bytes = 0;
    uint64_t policy_bytes = 0;
    uint64_t pages = 0;
  };
  Stats stats() const;
  // Keeps what still fits. `max_item_bytes` 0 is an eighth of max_bytes.
  Status Configure(uint64_t max_bytes, uint64_t max_item_bytes, PolicyKind policy);
  // A step of a bound that goes down bit by bit, because to evict all at once takes long: from
  // `from` to `to`, as Configure does it, but for what goes with the whole way. False when the
  // bound is not `from` any more, because somebody else configured the store; nothing has changed
  // then.
  bool Lower(uint64_t from, uint64_t to);
  PolicyKind policy() const;
  // Memory is short elsewhere: the store keeps to `to` of kWhole parts of its max_bytes, but to 1
  // MiB at least, until told otherwise. Where several want that it is the least of what they want;
  // `from` is what the caller wanted before, kWhole at first. A larger part may be used at once, a
  // smaller one is reached by Yield.
  static constexpr uint32_t kWhole = 1000;
  void Press(uint32_t from, uint32_t to);
  // Comes up to `bytes` nearer to what Press wants, by evicting; what is freed goes back to the
  // system. Says whether no more need go.
  bool Yield(uint64_t bytes);
  // A little of what is left to do, to be called every few seconds: frees what was cleared, gives
  // back pages that were free since the last call.
  void Maintain();

  // Nobody will use it any more: all that is not pinned goes, and its memory is given back now.
  void Shut();

  uint64_t max_item_bytes() const noexcept {
    return commons_.max_item_bytes.load(std::memory_order_relaxed);
  }
  uint64_t page_bytes() const noexcept { return commons_.arena->page_bytes(); }
  uint64_t largest_slot() const noexcept { return commons_.classes.largest(); }
  uint64_t committed() const noexcept { return commons_.ledger.used(); }
  // The addresses of all bodies: what Draft::View lends, and EntryRef::View of a pinned entry, lies
  // in one page of them. A page is a power of two of bytes, and begins at a multiple of that from
  // the base: with up to 4 MiB, which only stores of more than 4 TiB pass, no view straddles a
  // multiple of 4 MiB.
  const uint8_t* arena_base() const noexcept { return commons_.arena->base(); }
  uint64_t arena_reserved() const noexcept { return commons_.arena->ceiling(); }

  // -- For the parts of the store.

  // Tries `attempt` under the shard's lock until it says true, letting other shards make room
  // between. False when none can.
  template <class Attempt>
  bool WithRoom(Shard& shard, Attempt&& attempt);
  // The same for what takes a whole page: all shards make room for it in turn.
  template <class Attempt>
  bool WithPage(Shard& shard, Attempt&& attempt);
  // Evicts, if what could not be refused has passed the bound. Without any lock.
  void Settle() {
    if (commons_.ledger.Over()) MakeRoomWithin();
  }
  void CountRefusal() noexcept { refusals_.fetch_add(1, std::memory_order_relaxed); }

 private:
  void MakeRoomWithin();
  // Sets the bound and evicts down to it; until that is done, stats() says the one before. Under
  // configuring_.
  void Bound(uint64_t max_bytes, uint64_t withheld);
  // What parts_ leave unused of `max_bytes`.
  uint64_t WithheldOf(uint64_t max_bytes) const noexcept;
  friend class EntryRef;

  explicit MemoryStore(const MemoryStoreOptions& options);
  // Takes the addresses of all that up to `ceiling` bytes need, in `count` shards. Once.
  Status Reserve(const MemoryStoreOptions& options, uint32_t count, uint64_t ceiling);

  Hash128 HashOf(Slice key) const noexcept { return Hash(commons_.hash_key, key); }
  Shard& ShardOf(const Hash128& hash) const noexcept {
    return *shards_[shard_bits_ == 0 ? 0 : hash.high >> (64 - shard_bits_)];
  }
  // Lets one of the shards free a page, another one each time; `except` is not asked.
  bool FreePageOfSome(const Shard* except);
  // What `act` says of the entry of `key`, under its shard's lock; false when there is none.
  template <class Act>
  bool WithEntry(Slice key, Act&& act);
  std::shared_ptr<Draft> BeginWith(const std::shared_ptr<Pass>& pass, uint64_t declared,
                                   bool one_call);
  std::shared_ptr<Draft> BeginWrite(Slice key, uint64_t declared, Owner owner, bool one_call);
  Stored SetLarge(Slice key, Slice value, const Metadata& metadata, Flight* flight);
  // With the locks of all shards.
  bool CommitAllLocked(std::span<const Together> parts);
  Draft::Outcome CommitOneLocked(const Together& part);

  Commons commons_;
  SharedTags tags_;
  std::vector<std::unique_ptr<Shard>> shards_;
  uint32_t shard_bits_ = 0;
  std::atomic<uint32_t> turn_{0};
  std::atomic<uint64_t> refusals_{0};
  // The bound that is being left, while entries are evicted for the next one; else 0.
  std::atomic<uint64_t> leaving_{0};
  // Counted with the locks of all shards held.
  std::atomic<uint64_t> batches_{0};
  // By the monotonic clock; before it CommitAll does not begin.
  std::atomic<std::chrono::steady_clock::rep> held_off_{0};
  mutable std::mutex configuring_;
  // Guarded by configuring_.
  PolicyKind policy_;
  // What is wanted by those who want less than all of it.
  std::multiset<uint32_t> parts_;
};

template <class Attempt>
bool MemoryStore::WithRoom(Shard& shard, Attempt&& attempt) {
  for (size_t tries = 0;; tries++) {
    {
      const std::lock_guard lock(shard.mutex);
      if (attempt()) return true;
    }
    // The shard has nothing more to evict. Others may take what is freed for it, but not for ever.
    if (tries == 4 * shards_.size() || !FreePageOfSome(&shard)) return false;
  }
}

template <class Attempt>
bool MemoryStore::WithPage(Shard& shard, Attempt&& attempt) {
  for (size_t tries = 0;; tries++) {
    {
      const std::lock_guard lock(shard.mutex);
      if (attempt()) return true;
    }
    if (tries == 4 * shards_.size() || !FreePageOfSome(nullptr)) return false;
  }
}

}  // namespace drey
