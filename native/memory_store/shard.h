#pragma once

#include <cstdint>
#include <memory>
#include <mutex>

#include "index/hash_index.h"
#include "memory/slab.h"
#include "memory_store/commons.h"
#include "memory_store/entry.h"
#include "memory_store/pass.h"
#include "memory_store/records.h"
#include "memory_store/uses.h"
#include "memory_store/wheel.h"
#include "policy/policy.h"

namespace drey {

// The entries of a store whose hashes begin alike, and what is in flight for them.
//
// Order of locks: the registry's, then shards' (of several only Clear, CommitAll and
// AbortOwner-like walks hold more than one, in ascending order), then a draft's, then the arena's
// or that of the evictions. A mailbox's is taken alone. Nothing that waits, and nothing of the
// user's, is called under any of them.
//
// Invariants:
//  - Everything below is guarded by `mutex`; a method is called with it held. Bytes of pinned
//  bodies may be read without.
//  - A record in use is in the index under its hash, and in the policy; if its entry expires, in
//  the wheel; it has the one
//    slot that its location names, and that slot has an entry with the record's key. No two records
//    have the same key.
//  - An entry whose epoch is not the shard's was cleared: nobody finds it, and its memory is the
//  first to be had.
//  - A slot that is a piece belongs to one body, which a record in use or somebody outside knows.
// Values that fit a slot are copied under the lock, so slots of entries can be overwritten, moved
// and freed at any time; only bodies are ever pinned.
class Shard final : private PolicyNodes, private WheelEntries {
 public:
  explicit Shard(Commons& commons) noexcept;
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Before anything else. False when the system has no addresses.
  [[nodiscard]] bool Open(uint32_t most_entries, PolicyKind policy, uint64_t capacity) noexcept;

  std::mutex mutex;
  PassTable passes;

  // -- Entries.

  // Without the lock, before taking it: has what every lookup of the key needs sent for.
  void Expect(const Hash128& hash) const noexcept { index_.Prefetch(IndexHash(hash)); }

  // The handle of the live entry of `key`; kNoHandle when there is none. Expired entries are live:
  // they are found until their memory is wanted.
  uint32_t Find(const Hash128& hash, Slice key) const noexcept;
  // As Find, for who is about to copy the value: it is on its way from memory while the key is
  // compared.
  uint32_t FindToCopy(const Hash128& hash, Slice key) const noexcept;
  Entry At(uint32_t handle) const noexcept { return Entry(slab_.At(records_.LocationOf(handle))); }
  void Touch(uint32_t handle) noexcept {
    __builtin_prefetch(&records_[handle], 1);
    if (uses_.Add(handle)) uses_.Tell(*policy_);
  }
  bool Remove(const Hash128& hash, Slice key) noexcept;
  // All entries, at once for whoever looks; their memory comes back as it is wanted, and by Tidy.
  void Clear() noexcept;

  enum class Outcome : uint8_t {
    kDone,
    // There is no room in this shard, even after evicting all that may be.
    kNoRoom,
    // The key has no such entry any more.
    kGone,
  };
  // Makes `value` the value of `key`; it must fit a slot together with the rest.
  Outcome Put(const Hash128& hash, Slice key, Slice value, const Metadata& metadata) noexcept;
  // Makes `body`, a draft's, the value of `key`; on kDone the entry owns it.
  Outcome PutBody(const Hash128& hash, Slice key, Body* body, const Metadata& metadata) noexcept;
  Outcome Revise(const Hash128& hash, Slice key, Version version,
                 const Metadata& metadata) noexcept;
  // Bytes of the slot that an entry with its value in it needs.
  static uint64_t SlotBytes(Slice key, uint64_t value, const Metadata& metadata) noexcept;

  // The first live entry at or after `from`; kNoHandle after the last.
  uint32_t NextLive(uint32_t from) const noexcept;

  // -- Bodies.

  void AddReader(Body* body) noexcept;
  void DropReader(Body* body) noexcept;
  void DropDraft(Body* body) noexcept;
  // Charges what the body's parts on the heap have grown by, but for `taken`, which the ledger has.
  void Recharge(Body* body, uint64_t taken = 0) noexcept;
  // Appends a slot for up to `bytes` more of the value, or as many as fit the largest one; a page,
  // if the arena has one. False when there is no room. `growing` is the draft's lock.
  bool AppendSlot(Body* body, uint64_t bytes, std::mutex& growing) noexcept;
  bool AppendPage(Body* body, std::mutex& growing) noexcept;
  // Takes away the pieces from number `count` on.
  void Truncate(Body* body, size_t count, std::mutex& growing) noexcept;
  // Puts the end of the value, which ends at `size`, into slots of its measure, if its last piece
  // is much too large. What was the last piece is given to `retired`: it may be on loan.
  // False when there was no room to do so.
  bool Trim(Body* body, uint64_t size, std::mutex& growing, std::vector<Piece>& retired) noexcept;
  // Gives back a piece that Trim retired.
  void FreeRetired(Body* body, const Piece& piece) noexcept;
  uint8_t* BytesOf(const Piece& piece) const noexcept {
    return slab_.At(piece.location) + (slab_.IsPage(piece.location) ? 0 : PieceHead::kBytes);
  }
  // The bytes from `position` on, of those that lie in one piece and before `end`.
  Slice ViewOf(const Body& body, uint64_t position, uint64_t end) const noexcept;

  // -- A host that decides who goes: see MemoryStore::Host.

  // Bytes that a host keeps of an entry beside its key. Measured by `npm run bench:micro --
  // memory-overhead`.
  static constexpr uint64_t kHostBytes = 216;

  // What the host keeps of the entries that are there is charged, whether or not there is room;
  // the policy still decides until Ask.
  void Host() noexcept;
  void Ask() noexcept { asks_ = true; }
  void Unhost() noexcept;
  uint64_t Weight(uint32_t handle) const noexcept;
  bool MayEvict(uint32_t handle) const noexcept { return Evictable(handle); }
  void Evict(uint32_t handle) noexcept;
  void Renew(uint32_t handle) noexcept;
  // As Adopt; `visit` is called with each handle, coldest first.
  template <class Visit>
  void Adopt(std::unique_ptr<Policy> next, Visit&& visit) noexcept {
    while (policy().count() > 0) {
      const uint32_t handle = policy().Evict(true);
      if (Live(At(handle))) visit(handle);
      next->Add(handle);
    }
    policy_ = std::move(next);
  }

  // -- Room.

  // Lets a page go to the arena, by moving what is in it or by evicting. False when nothing is left
  // that may go.
  bool FreePage() noexcept;
  // The part of the store's bound that the policy reckons with.
  void SetCapacity(uint64_t bytes) noexcept { policy().SetCapacity(bytes); }
  // A policy for this shard; null when the system has no addresses for it.
  std::unique_ptr<Policy> NewPolicy(PolicyKind policy, uint64_t capacity) const noexcept;
  // Hands all entries to it, coldest first.
  void Adopt(std::unique_ptr<Policy> next) noexcept;
  // Frees up to `count` cleared entries, of those that a bounded look at the next records finds.
  void Tidy(uint32_t count) noexcept;
  // What Clear would have to tidy first, to be done before the locks of all shards are taken.
  void PrepareClear() noexcept;

  struct Counts {
    uint64_t entries = 0;
    uint64_t cleared = 0;
    uint64_t evictions = 0;
    uint64_t expirations = 0;
    uint64_t moved_slots = 0;
    uint64_t idle_bytes = 0;
    uint64_t index_bytes = 0;
    uint64_t record_bytes = 0;
    uint64_t policy_bytes = 0;
    uint64_t pages = 0;
  };
  Counts counts() const noexcept;

 private:
  uint32_t Hash(uint32_t handle) const noexcept override { return records_[handle].hash; }
  uint64_t Size(uint32_t handle) const noexcept override;
  bool Evictable(uint32_t handle) const noexcept override {
    return !records_.Chained(handle) || !At(handle).body()->pinned();
  }
  WheelLinks LinksOf(uint32_t handle) const noexcept override { return At(handle).links(); }
  void SetLinks(uint32_t handle, WheelLinks links) noexcept override {
    At(handle).set_links(links);
  }
  uint64_t DeadlineOf(uint32_t handle) const noexcept override;

  // An entry that has expired; Wheel::kNobody when there is none.
  uint32_t DueNow() noexcept;
  bool Live(const Entry& entry) const noexcept { return entry.epoch() == epoch_; }
  // As Find, cleared entries included.
  uint32_t FindAny(const Hash128& hash, Slice key) const noexcept;
  // Sends for a slot, or the start of it, that is about to be written to.
  void FetchToWrite(Location location) const noexcept;
  // As FindAny, for who is about to overwrite the value, or the entry.
  uint32_t FindToWrite(const Hash128& hash, Slice key) const noexcept;
  // The index is asked by one half of the hash, and the shard is chosen by the other.
  static uint32_t IndexHash(const Hash128& hash) noexcept {
    return static_cast<uint32_t>(hash.low);
  }
  Version NextVersion() noexcept {
    if (++version_ == 0) version_ = 1;
    return version_;
  }
  uint16_t EpochMark() const noexcept {
    return static_cast<uint16_t>(epoch_ << Entry::kEpochShift);
  }

  // A slot for `bytes`, and a record and a place in the index beside it; kNoLocation when there is
  // no room.
  Location TakeRoom(uint64_t bytes) noexcept;
  bool PrepareTables() noexcept;
  // Evicts until the store is within its bound. False when nothing is left that may go.
  bool Settle() noexcept;
  // Takes bytes of the heap from the ledger, evicting for it. False when there is no room.
  bool TakeHeap(uint64_t bytes) noexcept;
  void PreparePolicy() noexcept;
  Location TakeSlot(uint32_t bytes) noexcept;
  Outcome Store(const Hash128& hash, Slice key, uint64_t slot_bytes, uint16_t mark, Slice value,
                Body* body, const Metadata& metadata) noexcept;
  void Fill(uint32_t handle, uint16_t mark, uint32_t version, Slice key, Slice value, Body* body,
            const Metadata& metadata) noexcept;
  // Takes the entry out of everything but policy, index and records.
  void Empty(uint32_t handle) noexcept;
  // Takes the entry out of everything but the policy.
  void Drop(uint32_t handle) noexcept;
  // Gives an entry from the upper end of the records a lower handle.
  void Renumber() noexcept;
  void SetOwner(const Body& body, uint32_t handle) noexcept;
  void LetGo(Body* body) noexcept;
  void AddPiece(Body* body, Location slot, std::mutex& growing) noexcept;
  Location TakePiece(uint64_t bytes) noexcept;

  // Makes something free, whatever it may be: what is cleared, what has expired, a page that can be
  // emptied by moving, or else what the policy says. False when nothing may go.
  bool FreeSome() noexcept;
  bool EvictOne() noexcept;
  // Sends for what evicting the next one will look at, as far as that is known without waiting; and
  // for what tells it of the one after.
  void ExpectEviction() const noexcept;
  // The policy, having been told of all uses.
  Policy& policy() noexcept {
    if (!uses_.empty()) uses_.Tell(*policy_);
    return *policy_;
  }
  // Before it is dropped.
  void TellEvicted(uint32_t handle, bool expired) noexcept {
    if (commons_.evictions.heard() && Live(At(handle))) {
      commons_.evictions.Add(At(handle).key(), expired);
    }
  }
  // Whether an entry may leave untold, or will be told: a host must know of all.
  bool MayTell() noexcept { return !asks_ || commons_.evictions.HasRoom(); }
  static uint64_t HostBytes(Slice key) noexcept;
  uint64_t HostBytesOfAll() const noexcept;
  // Moves what is in the page to other slots of its class; false when something in it may not move.
  bool EmptyPage(uint32_t page) noexcept;
  bool MoveEntry(Location from, uint32_t size_class) noexcept;
  bool MovePiece(Location from, uint32_t size_class) noexcept;

  Commons& commons_;
  Slab slab_;
  Records records_;
  HashIndex index_;
  std::unique_ptr<Policy> policy_;
  Uses uses_;
  uint32_t most_entries_ = 0;
  Wheel wheel_;
  uint32_t epoch_ = 0;
  uint32_t version_ = 0;
  // Records before it hold nothing that was cleared, if anything is left of that.
  uint32_t tidied_ = 0;
  // How many of the four epochs may have entries.
  uint32_t epochs_ = 1;
  uint64_t live_ = 0;
  uint64_t cleared_ = 0;
  uint64_t expiring_ = 0;
  uint64_t evictions_ = 0;
  uint64_t expirations_ = 0;
  uint64_t moved_ = 0;
  // What a host keeps of entries is in the ledger; and it is asked who goes.
  bool hosted_ = false;
  bool asks_ = false;
  // Insertions until the policy's memory is seen to, and from then to the next time.
  uint32_t policy_wait_ = 1;
  uint32_t policy_pause_ = 1;
};

}  // namespace drey
