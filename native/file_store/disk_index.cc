#include "file_store/disk_index.h"

#include <algorithm>
#include <cassert>

namespace drey::file {
namespace {

constexpr uint32_t kSequenceBits = 46;
// What a shard's regions and table grow by at once, at most: three steps of 64 KiB.
constexpr uint64_t kGrowth = 3 * 64 * 1024;

}  // namespace

void DiskIndex::Record::Set(const IndexEntry& entry) noexcept {
  identity_low = static_cast<uint32_t>(entry.identity);
  identity_high = static_cast<uint32_t>(entry.identity >> 32);
  const uint64_t order = entry.sequence | uint64_t{entry.length} / kAlignment << kSequenceBits;
  order_low = static_cast<uint32_t>(order);
  order_high = static_cast<uint32_t>(order >> 32);
  segment = static_cast<uint32_t>(entry.position.segment);
  offset_units = static_cast<uint32_t>(entry.position.offset / kAlignment);
  expires = entry.expires;
  blob_units = entry.blob_units;
  policy = entry.policy;
}

IndexEntry DiskIndex::Record::Get() const noexcept {
  const uint64_t order = uint64_t{order_high} << 32 | order_low;
  return {.identity = identity(),
          .sequence = order & kMostSequence,
          .position = position(),
          .length = static_cast<uint32_t>((order >> kSequenceBits) * kAlignment),
          .expires = expires,
          .blob_units = blob_units,
          .policy = policy};
}

uint32_t DiskIndex::Shard::HashOfHandle(const void* context, uint32_t handle) noexcept {
  return HashOf(static_cast<const Shard*>(context)->At(handle).identity());
}

uint32_t DiskIndex::Shard::Find(uint64_t identity) const noexcept {
  if (table.size() == 0) return kNoHandle;
  return table.Find(HashOf(identity),
                    [&](uint32_t handle) { return At(handle).identity() == identity; });
}

uint32_t DiskIndex::Shard::TakeHandle() noexcept {
  if (table.Prepare() != Region::Growth::kDone) return kNoHandle;
  if (free != kNoHandle) {
    const uint32_t handle = free;
    free = At(handle).segment;
    free_count -= 1;
    return handle;
  }
  if (records.Grow((uint64_t{end} + 1) * sizeof(Record)) != Region::Growth::kDone) return kNoHandle;
  return end++;
}

void DiskIndex::Shard::Replace(uint32_t handle, const IndexEntry& entry,
                               IndexEntry* before) noexcept {
  Record& record = At(handle);
  *before = record.Get();
  record.Set(entry);
  blobs += (entry.blob() ? 1 : 0);
  blobs -= (before->blob() ? 1 : 0);
}

void DiskIndex::Shard::Erase(uint32_t handle) noexcept {
  blobs -= At(handle).blob_units != 0 ? 1 : 0;
  table.Erase(HashOf(At(handle).identity()), handle);
  At(handle).segment = free;
  At(handle).order_low = 0;
  At(handle).order_high = 0;
  free = handle;
  free_count += 1;
}

DiskIndex::DiskIndex(uint64_t max_bytes) noexcept : ledger_(max_bytes) {
  static_assert(sizeof(Record) == 36);
}

DiskIndex::~DiskIndex() = default;

std::unique_ptr<DiskIndex> DiskIndex::Create(SystemMemory& system, uint64_t max_bytes) noexcept {
  for (const uint64_t reach : {kReach, uint64_t{1}}) {
    std::unique_ptr<DiskIndex> index(new DiskIndex(max_bytes));
    index->ceiling_ = max_bytes * reach;
    if (index->Reserve(system)) return index;
  }
  return nullptr;
}

bool DiskIndex::Reserve(SystemMemory& system) noexcept {
  // Shards are even to a few percent, but of a small index.
  const uint64_t most = ceiling_ / sizeof(Record) / kShards * 2 + 1024;
  for (std::unique_ptr<Shard>& shard : shards_) {
    shard = std::make_unique<Shard>();
    if (!shard->table.Reserve(system, ledger_, most) ||
        !shard->records.Reserve(system, ledger_, most * sizeof(Record))) {
      return false;
    }
  }
  return true;
}

std::optional<IndexEntry> DiskIndex::Find(uint64_t identity) const noexcept {
  const Shard& shard = ShardOf(identity);
  const std::lock_guard lock(shard.mutex);
  const uint32_t handle = shard.Find(identity);
  if (handle == kNoHandle) return std::nullopt;
  return shard.At(handle).Get();
}

DiskIndex::Put DiskIndex::PutEntry(const IndexEntry& entry, IndexEntry* before) noexcept {
  assert(entry.position.segment <= UINT32_MAX && entry.sequence <= kMostSequence);
  Shard& shard = ShardOf(entry.identity);
  const std::lock_guard lock(shard.mutex);
  const uint32_t found = shard.Find(entry.identity);
  if (found != kNoHandle) {
    if (shard.At(found).sequence() > entry.sequence) return Put::kOlder;
    shard.Replace(found, entry, before);
    return Put::kReplaced;
  }
  const uint32_t handle = shard.TakeHandle();
  if (handle == kNoHandle) return Put::kNoRoom;
  shard.At(handle).Set(entry);
  shard.blobs += entry.blob() ? 1 : 0;
  shard.table.Insert(HashOf(entry.identity), handle);
  return Put::kInserted;
}

DiskIndex::Put DiskIndex::MoveEntry(const IndexEntry& entry, uint64_t sequence,
                                    IndexEntry* before) noexcept {
  Shard& shard = ShardOf(entry.identity);
  const std::lock_guard lock(shard.mutex);
  const uint32_t found = shard.Find(entry.identity);
  if (found == kNoHandle || shard.At(found).sequence() != sequence) return Put::kOlder;
  shard.Replace(found, entry, before);
  return Put::kReplaced;
}

bool DiskIndex::RemoveBelow(uint64_t identity, uint64_t sequence, IndexEntry* removed) noexcept {
  Shard& shard = ShardOf(identity);
  const std::lock_guard lock(shard.mutex);
  const uint32_t handle = shard.Find(identity);
  if (handle == kNoHandle || shard.At(handle).sequence() >= sequence) return false;
  *removed = shard.At(handle).Get();
  shard.Erase(handle);
  return true;
}

bool DiskIndex::RemoveAt(uint64_t identity, Position position, IndexEntry* removed) noexcept {
  Shard& shard = ShardOf(identity);
  const std::lock_guard lock(shard.mutex);
  const uint32_t handle = shard.Find(identity);
  if (handle == kNoHandle || shard.At(handle).position() != position) return false;
  *removed = shard.At(handle).Get();
  shard.Erase(handle);
  return true;
}

void DiskIndex::SetPolicy(uint64_t identity, Position position, uint32_t policy) noexcept {
  Shard& shard = ShardOf(identity);
  const std::lock_guard lock(shard.mutex);
  const uint32_t handle = shard.Find(identity);
  if (handle == kNoHandle || shard.At(handle).position() != position) return;
  shard.At(handle).policy = policy;
}

void DiskIndex::Clear(uint64_t sequence) noexcept {
  for (const auto& shard : shards_) shard->mutex.lock();
  for (const auto& shard : shards_) {
    for (uint32_t handle = 0; handle < shard->end; handle++) {
      const Record& record = shard->At(handle);
      if (record.used() && record.sequence() < sequence) shard->Erase(handle);
    }
    if (shard->table.size() != 0) continue;
    shard->end = 0;
    shard->free = kNoHandle;
    shard->free_count = 0;
    shard->records.Shrink(0);
  }
  for (const auto& shard : shards_) shard->mutex.unlock();
}

std::vector<IndexEntry> DiskIndex::Collect(size_t at) const {
  const Shard& shard = *shards_[at];
  std::vector<IndexEntry> entries;
  {
    const std::lock_guard lock(shard.mutex);
    entries.reserve(shard.end - shard.free_count);
    for (uint32_t handle = 0; handle < shard.end; handle++) {
      if (shard.At(handle).used()) entries.push_back(shard.At(handle).Get());
    }
  }
  std::sort(entries.begin(), entries.end(),
            [](const IndexEntry& a, const IndexEntry& b) { return a.identity < b.identity; });
  return entries;
}

uint64_t DiskIndex::count() const noexcept {
  uint64_t count = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    count += shard->table.size();
  }
  return count;
}

uint64_t DiskIndex::blobs() const noexcept {
  uint64_t blobs = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    blobs += shard->blobs;
  }
  return blobs;
}

bool DiskIndex::HasRoomFor(uint64_t entries) const noexcept {
  // Each may be the one that makes its shard grow; no more of them can than there are shards.
  if (ledger_.MayTake(std::min<uint64_t>(entries, kShards) * kGrowth + entries * 48)) return true;
  if (ledger_.Over()) return false;
  // Or all of them come to one shard, and find what was evicted there.
  return std::ranges::all_of(shards_, [&](const auto& shard) {
    const std::lock_guard lock(shard->mutex);
    return shard->free_count >= entries;
  });
}

void DiskIndex::Shard::Compact() noexcept {
  if (free_count == 0) return;
  uint32_t to = 0;
  for (uint32_t from = end; from > 0;) {
    from -= 1;
    if (!At(from).used()) continue;
    while (to < from && At(to).used()) to += 1;
    if (to >= from) break;
    table.Rename(HashOf(At(from).identity()), from, to);
    At(to) = At(from);
    At(from).order_low = 0;
    At(from).order_high = 0;
  }
  end -= free_count;
  free = kNoHandle;
  free_count = 0;
  records.Shrink(uint64_t{end} * sizeof(Record));
}

void DiskIndex::Compact() noexcept {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->Compact();
  }
}

uint64_t DiskIndex::slack() const noexcept {
  uint64_t slack = 0;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    slack += uint64_t{shard->free_count} * sizeof(Record);
  }
  return slack;
}

}  // namespace drey::file
