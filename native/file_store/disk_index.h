#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "file_store/format/limits.h"
#include "file_store/format/record.h"
#include "index/hash_index.h"
#include "memory/ledger.h"
#include "memory/region.h"
#include "memory/system.h"

namespace drey::file {

// What the index knows of an entry.
struct IndexEntry {
  uint64_t identity = 0;
  uint64_t sequence = 0;
  Position position;
  // Of the record with its padding.
  uint32_t length = 0;
  uint32_t expires = 0;
  // Of a blob, the bytes of its file in units of 4096, rounded up; else 0.
  uint32_t blob_units = 0;
  uint32_t policy = 0;

  bool blob() const noexcept { return blob_units != 0; }
};

// From identities of keys to the places of their records: at most 48 bytes an entry (D9).
//
// A record of it takes 36 bytes, because sequence and length share 8 of them; the table of handles
// (HashIndex) takes at most 8, and regions grow by a sixteenth. Shards are by the highest bits of
// the identity, so that shards one after the other, each sorted, are in the order of identities, as
// images want them.
//
// Invariants:
//  - An identity has at most one entry, that of the greatest sequence that was put: Put and Remove
//  say what the log's reader does (docs/disk-format.md, section 5.4), so replaying any part of the
//  log again changes nothing.
//  - All memory is within `max_bytes`, and taken there before it is used.
// Safe from any thread: a shard's mutex guards it, and no two are held at once but by Clear.
class DiskIndex {
 public:
  // How many times `max_bytes` SetMax may go up to at least: addresses are taken for so much, where
  // the system has them.
  static constexpr uint64_t kReach = 8;
  // Null when the system has no addresses.
  static std::unique_ptr<DiskIndex> Create(SystemMemory& system, uint64_t max_bytes) noexcept;
  ~DiskIndex();
  DiskIndex(const DiskIndex&) = delete;
  DiskIndex& operator=(const DiskIndex&) = delete;

  std::optional<IndexEntry> Find(uint64_t identity) const noexcept;
  // Find, and the policy's state becomes what `use` makes of it.
  template <class Use>
  std::optional<IndexEntry> FindAndUse(uint64_t identity, Use&& use) noexcept;

  enum class Put : uint8_t {
    kInserted,
    // `before` is what it replaced; of the same sequence, it was a copy.
    kReplaced,
    // There is a greater sequence: nothing has changed.
    kOlder,
    kNoRoom
  };
  Put PutEntry(const IndexEntry& entry, IndexEntry* before) noexcept;
  // The same of the value that had `sequence`, which was given another place, or other metadata:
  // where the index has that one no more nothing changes, and it says kOlder.
  Put MoveEntry(const IndexEntry& entry, uint64_t sequence, IndexEntry* before) noexcept;
  // Removes an entry of a sequence below `sequence`; it becomes `removed`.
  bool RemoveBelow(uint64_t identity, uint64_t sequence, IndexEntry* removed) noexcept;
  // Removes the entry if its record is the one at `position`.
  bool RemoveAt(uint64_t identity, Position position, IndexEntry* removed) noexcept;
  // Changes the policy's state, if the record is the one at `position`.
  void SetPolicy(uint64_t identity, Position position, uint32_t policy) noexcept;
  // Removes all entries below `sequence`, in one step for all who look.
  void Clear(uint64_t sequence) noexcept;

  static constexpr size_t kShards = 16;
  // Calls `visit` with each entry of a shard, in no order; entries that come or go meanwhile are
  // there or not. It is called with the shard's lock, which is let go of every now and then.
  template <class Visit>
  void ForEach(size_t shard, Visit&& visit) const;
  // Makes of the policy's state of each entry of a shard what `become` does; as ForEach.
  template <class Become>
  void Reconsider(size_t shard, Become&& become);
  // The entries of a shard, sorted by identity.
  std::vector<IndexEntry> Collect(size_t shard) const;
  uint64_t count() const noexcept;
  // Those of them that have files of their own.
  uint64_t blobs() const noexcept;
  uint64_t committed() const noexcept { return ledger_.used(); }
  uint64_t max_bytes() const noexcept { return ledger_.max(); }
  // Of SetMax.
  uint64_t ceiling() const noexcept { return ceiling_; }
  // Another bound. Of a lower one it holds at once that nothing grows; Over says whether more is
  // taken still, which comes back when entries are evicted and Compact was called.
  void SetMax(uint64_t max_bytes) noexcept { ledger_.SetMax(std::min(max_bytes, ceiling_)); }
  bool Over() const noexcept { return ledger_.Over(); }
  // Puts the records of each shard together, and gives back what lies behind them.
  void Compact() noexcept;
  // Of memory that Compact would give back.
  uint64_t slack() const noexcept;
  // Whether so many more entries fit, wherever they go.
  bool HasRoomFor(uint64_t entries) const noexcept;

 private:
  struct Record;
  struct Shard;

  // Entries looked at with a lock that readers wait for, event loops among them.
  static constexpr uint32_t kAtOnce = 4096;

  explicit DiskIndex(uint64_t max_bytes) noexcept;
  bool Reserve(SystemMemory& system) noexcept;
  Shard& ShardOf(uint64_t identity) const noexcept { return *shards_[identity >> 60]; }
  static uint32_t HashOf(uint64_t identity) noexcept {
    return static_cast<uint32_t>(identity >> 24);
  }

  Ledger ledger_;
  uint64_t ceiling_ = 0;
  std::array<std::unique_ptr<Shard>, kShards> shards_;
};

// Packed to 36 bytes: entries lie one behind the other.
struct DiskIndex::Record {
  uint32_t identity_low;
  uint32_t identity_high;
  // Sequence in 46 bits, length in units of 8 in 18.
  uint32_t order_low;
  uint32_t order_high;
  uint32_t segment;
  uint32_t offset_units;
  uint32_t expires;
  uint32_t blob_units;
  uint32_t policy;

  // A free one has no length.
  bool used() const noexcept { return (order_low | order_high) != 0; }
  uint64_t identity() const noexcept { return uint64_t{identity_high} << 32 | identity_low; }
  uint64_t sequence() const noexcept {
    return (uint64_t{order_high} << 32 | order_low) & kMostSequence;
  }
  Position position() const noexcept { return {segment, uint64_t{offset_units} * kAlignment}; }
  void Set(const IndexEntry& entry) noexcept;
  IndexEntry Get() const noexcept;
};

struct DiskIndex::Shard {
  Shard() noexcept : table(&HashOfHandle, this) {}

  static uint32_t HashOfHandle(const void* context, uint32_t handle) noexcept;
  Record& At(uint32_t handle) const noexcept {
    return reinterpret_cast<Record*>(records.data())[handle];
  }
  uint32_t Find(uint64_t identity) const noexcept;
  // kNoHandle when there is no room.
  uint32_t TakeHandle() noexcept;
  void Erase(uint32_t handle) noexcept;
  void Compact() noexcept;
  void Replace(uint32_t handle, const IndexEntry& entry, IndexEntry* before) noexcept;

  mutable std::mutex mutex;
  // Guarded by mutex, all below.
  HashIndex table;
  Region records;
  uint32_t end = 0;
  // First of the records that are free again: linked by `segment`.
  uint32_t free = kNoHandle;
  uint32_t free_count = 0;
  uint64_t blobs = 0;
};

template <class Use>
std::optional<IndexEntry> DiskIndex::FindAndUse(uint64_t identity, Use&& use) noexcept {
  Shard& shard = ShardOf(identity);
  const std::lock_guard lock(shard.mutex);
  const uint32_t handle = shard.Find(identity);
  if (handle == kNoHandle) return std::nullopt;
  Record& record = shard.At(handle);
  record.policy = use(record.policy);
  return record.Get();
}

template <class Become>
void DiskIndex::Reconsider(size_t at, Become&& become) {
  Shard& shard = *shards_[at];
  for (uint32_t from = 0, end = 1; from < end; from += kAtOnce) {
    const std::lock_guard lock(shard.mutex);
    end = shard.end;
    for (uint32_t handle = from; handle < end && handle - from < kAtOnce; handle++) {
      Record& record = shard.At(handle);
      if (record.used()) record.policy = become(record.policy);
    }
  }
}

template <class Visit>
void DiskIndex::ForEach(size_t at, Visit&& visit) const {
  const Shard& shard = *shards_[at];
  for (uint32_t from = 0, end = 1; from < end; from += kAtOnce) {
    const std::lock_guard lock(shard.mutex);
    end = shard.end;
    for (uint32_t handle = from; handle < end && handle - from < kAtOnce; handle++) {
      if (shard.At(handle).used()) visit(shard.At(handle).Get());
    }
  }
}

}  // namespace drey::file
