// A host that decides who goes, instead of the policy.

#include <algorithm>
#include <utility>

#include "memory_store/store.h"

namespace drey {

// JavaScript has a character of a key in a byte, or in two where one of them is not of Latin-1;
// UTF-8 has at least as many bytes as there are characters.
uint64_t Shard::HostBytes(Slice key) noexcept {
  const bool ascii = std::ranges::all_of(key, [](uint8_t byte) { return byte < 0x80; });
  return kHostBytes + (ascii ? key.size() : 2 * key.size());
}

void Shard::Host() noexcept {
  hosted_ = true;
  commons_.ledger.Charge(HostBytesOfAll());
}

void Shard::Unhost() noexcept {
  hosted_ = false;
  asks_ = false;
  commons_.ledger.Give(HostBytesOfAll());
}

uint64_t Shard::HostBytesOfAll() const noexcept {
  uint64_t bytes = 0;
  for (uint32_t handle = 0; handle < records_.end(); handle++) {
    if (records_.Used(handle)) bytes += HostBytes(At(handle).key());
  }
  return bytes;
}

uint64_t Shard::Weight(uint32_t handle) const noexcept {
  return Size(handle) + HostBytes(At(handle).key());
}

void Shard::Evict(uint32_t handle) noexcept {
  policy().Remove(handle);
  Drop(handle);
  evictions_ += 1;
}

void Shard::Renew(uint32_t handle) noexcept {
  policy().Remove(handle);
  policy().Add(handle);
}

std::vector<MemoryStore::Hosted> MemoryStore::Host() {
  const std::lock_guard configuring(configuring_);
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->Host();
  }
  // The policy of before says who goes for what the host will keep.
  Settle();
  policy_ = PolicyKind::kFifo;
  std::vector<Hosted> entries;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    std::unique_ptr<Policy> fifo =
        shard->NewPolicy(policy_, commons_.ledger.max() / shards_.size());
    shard->Ask();
    shard->Adopt(std::move(fifo), [&](uint32_t handle) {
      const Slice key = shard->At(handle).key();
      entries.push_back({{key.begin(), key.end()}, shard->Weight(handle)});
    });
  }
  return entries;
}

void MemoryStore::Unhost() {
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    shard->Unhost();
  }
}

template <class Act>
bool MemoryStore::WithEntry(Slice key, Act&& act) {
  const Hash128 hash = HashOf(key);
  Shard& shard = ShardOf(hash);
  const std::lock_guard lock(shard.mutex);
  const uint32_t handle = shard.Find(hash, key);
  return handle != kNoHandle && act(shard, handle);
}

uint64_t MemoryStore::Weight(Slice key) {
  uint64_t weight = 0;
  WithEntry(key, [&](Shard& shard, uint32_t handle) {
    weight = shard.Weight(handle);
    return true;
  });
  return weight;
}

bool MemoryStore::Evictable(Slice key) {
  return WithEntry(key, [](Shard& shard, uint32_t handle) { return shard.MayEvict(handle); });
}

bool MemoryStore::Evict(Slice key) {
  return WithEntry(key, [](Shard& shard, uint32_t handle) {
    if (!shard.MayEvict(handle)) return false;
    shard.Evict(handle);
    return true;
  });
}

void MemoryStore::Renew(Slice key) {
  WithEntry(key, [](Shard& shard, uint32_t handle) {
    shard.Renew(handle);
    return true;
  });
}

uint64_t MemoryStore::Beyond(uint64_t max_bytes) {
  while (commons_.ledger.used() > max_bytes) {
    if (commons_.arena->GiveBack(1) == 0 && !FreePageOfSome(nullptr)) break;
  }
  const uint64_t used = commons_.ledger.used();
  return used > max_bytes ? used - max_bytes : 0;
}

}  // namespace drey
