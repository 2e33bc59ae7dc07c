#include "memory_store/shard.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace drey {
namespace {

uint32_t HashOfRecord(const void* records, uint32_t handle) {
  return (*static_cast<const Records*>(records))[handle].hash;
}

// How much of an entry is fetched before its key has been compared: about what a processor can have
// under way.
constexpr uint64_t kFetchedAhead = 1024;

bool Same(Slice a, Slice b) noexcept {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace

Shard::Shard(Commons& commons) noexcept
    : passes(commons.ledger),
      commons_(commons),
      slab_(*commons.arena, commons.classes),
      records_(commons.ledger),
      index_(HashOfRecord, &records_),
      wheel_(*this) {
  commons_.ledger.Charge(sizeof(Shard));
  // From now on is soon; from 1970 it would be a long way round.
  static_cast<void>(DueNow());
}

// The arena goes as a whole; only what lies on the heap must be freed one by one.
Shard::~Shard() {
  for (uint32_t handle = 0; handle < records_.end(); handle++) {
    if (!records_.Used(handle)) continue;
    Body* const body = At(handle).body();
    if (body == nullptr) continue;
    commons_.ledger.Give(body->heap_bytes);
    delete body;
  }
  commons_.ledger.Give(sizeof(Shard));
}

bool Shard::Open(uint32_t most_entries, PolicyKind policy, uint64_t capacity) noexcept {
  most_entries_ = most_entries;
  if (!records_.Reserve(commons_.system, most_entries) ||
      !index_.Reserve(commons_.system, commons_.ledger, most_entries)) {
    return false;
  }
  Place(&records_[0].node, sizeof(Record));
  policy_ = NewPolicy(policy, capacity);
  return policy_ != nullptr;
}

std::unique_ptr<Policy> Shard::NewPolicy(PolicyKind policy, uint64_t capacity) const noexcept {
  return MakePolicy(policy, *this,
                    {.system = commons_.system,
                     .ledger = commons_.ledger,
                     .capacity = capacity,
                     .most_entries = most_entries_});
}

void Shard::Adopt(std::unique_ptr<Policy> policy) noexcept {
  Adopt(std::move(policy), [](uint32_t) {});
}

// What an entry takes of the store, but for what is the same for all of them.
uint64_t Shard::Size(uint32_t handle) const noexcept {
  const uint64_t slot = slab_.SizeOf(records_.LocationOf(handle));
  return records_.Chained(handle) ? slot + At(handle).body()->size : slot;
}

uint32_t Shard::FindAny(const Hash128& hash, Slice key) const noexcept {
  if (live_ + cleared_ == 0) return kNoHandle;
  const uint32_t wanted = IndexHash(hash);
  return index_.Find(wanted, [&](uint32_t handle) { return Same(At(handle).key(), key); });
}

uint32_t Shard::FindToCopy(const Hash128& hash, Slice key) const noexcept {
  if (live_ + cleared_ == 0) return kNoHandle;
  const uint32_t handle = index_.Find(IndexHash(hash), [&](uint32_t candidate) {
    const Location location = records_.LocationOf(candidate);
    const uint8_t* const slot = slab_.At(location);
    const uint64_t bytes = std::min<uint64_t>(slab_.SizeOf(location), kFetchedAhead);
    for (uint64_t at = 0; at < bytes; at += 64) __builtin_prefetch(slot + at);
    __builtin_prefetch(&records_[candidate]);
    return Same(At(candidate).key(), key);
  });
  return handle != kNoHandle && Live(At(handle)) ? handle : kNoHandle;
}

void Shard::FetchToWrite(Location location) const noexcept {
  const uint8_t* const slot = slab_.At(location);
  const uint64_t bytes = std::min<uint64_t>(slab_.SizeOf(location), kFetchedAhead);
  for (uint64_t at = 0; at < bytes; at += 64) __builtin_prefetch(slot + at, 1);
}

uint32_t Shard::FindToWrite(const Hash128& hash, Slice key) const noexcept {
  if (live_ + cleared_ == 0) return kNoHandle;
  return index_.Find(IndexHash(hash), [&](uint32_t candidate) {
    FetchToWrite(records_.LocationOf(candidate));
    __builtin_prefetch(&records_[candidate], 1);
    return Same(At(candidate).key(), key);
  });
}

uint32_t Shard::Find(const Hash128& hash, Slice key) const noexcept {
  const uint32_t handle = FindAny(hash, key);
  return handle != kNoHandle && Live(At(handle)) ? handle : kNoHandle;
}

uint64_t Shard::DeadlineOf(uint32_t handle) const noexcept {
  constexpr double kFarthest = 4e15;
  const double time = std::ceil(At(handle).useful_until());
  return time <= 0 ? 0 : static_cast<uint64_t>(std::min(time, kFarthest));
}

uint32_t Shard::DueNow() noexcept {
  const double now = commons_.Now();
  return wheel_.Due(now <= 0 ? 0 : static_cast<uint64_t>(now));
}

uint64_t Shard::SlotBytes(Slice key, uint64_t value, const Metadata& metadata) noexcept {
  uint64_t bytes = Entry::HeadBytes(Entry::MarksOf(metadata)) + key.size() + value;
  if (metadata.has_etag) bytes += metadata.etag.size();
  if (metadata.has_user) bytes += metadata.user.size();
  return bytes;
}

bool Shard::Remove(const Hash128& hash, Slice key) noexcept {
  const uint32_t handle = Find(hash, key);
  if (handle == kNoHandle) return false;
  policy().Remove(handle);
  Drop(handle);
  return true;
}

// An epoch comes round again after four: its entries must be gone by then.
void Shard::PrepareClear() noexcept {
  if (cleared_ > 0 && epochs_ == 3) Tidy(UINT32_MAX);
}

void Shard::Clear() noexcept {
  PrepareClear();
  epochs_ = cleared_ == 0 ? 2 : epochs_ + 1;
  epoch_ = (epoch_ + 1) & 3;
  cleared_ += live_;
  live_ = 0;
  tidied_ = 0;
}

Shard::Outcome Shard::Put(const Hash128& hash, Slice key, Slice value,
                          const Metadata& metadata) noexcept {
  return Store(hash, key, SlotBytes(key, value.size(), metadata), Entry::MarksOf(metadata), value,
               nullptr, metadata);
}

Shard::Outcome Shard::PutBody(const Hash128& hash, Slice key, Body* body,
                              const Metadata& metadata) noexcept {
  unsigned mark = unsigned{Entry::MarksOf(metadata)} | Entry::kChained;
  // Eight more, for the body's address.
  uint64_t bytes = SlotBytes(key, 0, metadata) + sizeof(Body*);
  if (bytes > commons_.classes.largest()) {
    const uint32_t head = Entry::HeadBytes(static_cast<uint16_t>(mark));
    if (body->outside == nullptr) {
      const uint64_t cost = HeapCost(bytes - head);
      if (!TakeHeap(cost)) return Outcome::kNoRoom;
      body->outside_size = static_cast<uint32_t>(bytes - head);
      body->outside = std::make_unique_for_overwrite<uint8_t[]>(body->outside_size);
      Recharge(body, cost);
    }
    mark |= Entry::kOutside;
    bytes = head;
  }
  return Store(hash, key, bytes, static_cast<uint16_t>(mark), {}, body, metadata);
}

Shard::Outcome Shard::Store(const Hash128& hash, Slice key, uint64_t slot_bytes, uint16_t mark,
                            Slice value, Body* body, const Metadata& metadata) noexcept {
  assert(slot_bytes <= commons_.classes.largest());
  const auto size_class = commons_.classes.For(static_cast<uint32_t>(slot_bytes));
  // Told of all uses from here on: what it weighs below is what it knew while they came.
  policy().ExpectAdd(IndexHash(hash));
  uint32_t handle = FindToWrite(hash, key);
  uint64_t before = 0;
  // The value that was there is overwritten where it lies, if the new one wants the same slot.
  if (handle == kNoHandle || records_.Chained(handle) ||
      slab_.ClassOfPage(Slab::PageOf(records_.LocationOf(handle))) != size_class) {
    // Of an entry that is there, it is taken already.
    const uint64_t host_bytes = hosted_ && handle == kNoHandle ? HostBytes(key) : 0;
    if (host_bytes > 0 && !TakeHeap(host_bytes)) return Outcome::kNoRoom;
    const Location slot = TakeRoom(slot_bytes);
    if (slot == kNoLocation) {
      commons_.ledger.Give(host_bytes);
      return Outcome::kNoRoom;
    }
    // Only now: making room may have taken the entry away.
    handle = FindAny(hash, key);
    if (handle == kNoHandle) {
      if (hosted_ && host_bytes == 0) commons_.ledger.Charge(HostBytes(key));
      handle = records_.Take();
      records_[handle] = {.hash = IndexHash(hash), .node = {}};
      records_.SetLocation(handle, slot, body != nullptr);
      index_.Insert(IndexHash(hash), handle);
      Fill(handle, mark, NextVersion(), key, value, body, metadata);
      policy().Add(handle);
      live_ += 1;
      return Outcome::kDone;
    }
    before = Size(handle);
    (Live(At(handle)) ? live_ : cleared_) -= 1;
    Empty(handle);
    records_.SetLocation(handle, slot, body != nullptr);
  } else {
    before = Size(handle);
    const Entry entry = At(handle);
    (Live(entry) ? live_ : cleared_) -= 1;
    if (entry.Is(Entry::kExpires)) {
      wheel_.Remove(handle);
      expiring_ -= 1;
    }
    records_.SetLocation(handle, records_.LocationOf(handle), body != nullptr);
  }
  Fill(handle, mark, NextVersion(), key, value, body, metadata);
  // In this order: a use may move the entry to another queue, at its new weight.
  if (Size(handle) != before) policy().Resize(handle, before);
  policy().Touch(handle);
  live_ += 1;
  return Outcome::kDone;
}

void Shard::Fill(uint32_t handle, uint16_t mark, uint32_t version, Slice key, Slice value,
                 Body* body, const Metadata& metadata) noexcept {
  Entry entry = At(handle);
  uint8_t* const outside =
      (mark & Entry::kOutside) != 0 && body != nullptr ? body->outside.get() : nullptr;
  entry.Write(static_cast<uint16_t>(mark | EpochMark()), version, key, value.size(), metadata,
              outside);
  if (body != nullptr) {
    entry.set_body(body);
    body->in_entry = true;
    SetOwner(*body, handle);
  } else if (!value.empty()) {
    std::memcpy(entry.value(), value.data(), value.size());
  }
  if (entry.Is(Entry::kExpires)) {
    wheel_.Add(handle);
    expiring_ += 1;
  }
}

Shard::Outcome Shard::Revise(const Hash128& hash, Slice key, Version version,
                             const Metadata& metadata) noexcept {
  const auto is_it = [&](uint32_t handle) {
    return handle != kNoHandle && At(handle).version() == version;
  };
  uint32_t handle = Find(hash, key);
  if (!is_it(handle)) return Outcome::kGone;
  Entry entry = At(handle);
  Body* const body = entry.body();
  std::vector<uint8_t> value;
  if (body == nullptr) value.assign(entry.value(), entry.value() + entry.size());
  unsigned mark = unsigned{Entry::MarksOf(metadata)};
  uint64_t bytes = SlotBytes(key, value.size(), metadata);
  std::unique_ptr<uint8_t[]> outside;
  uint32_t outside_size = 0;
  if (body != nullptr) {
    mark |= Entry::kChained;
    bytes += sizeof(Body*);
    if (bytes > commons_.classes.largest()) {
      mark |= Entry::kOutside;
      const uint32_t head = Entry::HeadBytes(static_cast<uint16_t>(mark));
      outside_size = static_cast<uint32_t>(bytes - head);
      outside = std::make_unique_for_overwrite<uint8_t[]>(outside_size);
      bytes = head;
    }
  } else if (bytes > commons_.classes.largest()) {
    // What grew out of its slot would have to become a value in pieces; it is rare, and a miss is
    // allowed.
    return Outcome::kNoRoom;
  }
  policy().Touch(handle);
  const uint64_t heap = HeapCost(outside_size);
  if (!TakeHeap(heap)) return Outcome::kNoRoom;
  const Location slot = TakeRoom(bytes);
  if (slot == kNoLocation) {
    commons_.ledger.Give(heap);
    return Outcome::kNoRoom;
  }
  handle = Find(hash, key);
  if (!is_it(handle)) {
    commons_.ledger.Give(heap);
    // Making room took the entry away. The slot needs a mark before it may be freed.
    *slab_.At(slot) = Entry::kUsed;
    slab_.Free(slot);
    return Outcome::kGone;
  }
  const uint64_t before = Size(handle);
  if (body != nullptr) body->readers += 1;
  Empty(handle);
  if (body != nullptr) {
    body->readers -= 1;
    body->outside = std::move(outside);
    body->outside_size = outside_size;
    Recharge(body, heap);
  }
  records_.SetLocation(handle, slot, body != nullptr);
  // The version stays: it names the value.
  Fill(handle, static_cast<uint16_t>(mark), version, key, value, body, metadata);
  if (Size(handle) != before) policy().Resize(handle, before);
  return Outcome::kDone;
}

uint32_t Shard::NextLive(uint32_t from) const noexcept {
  for (uint32_t handle = from; handle < records_.end(); handle++) {
    if (records_.Used(handle) && Live(At(handle))) return handle;
  }
  return kNoHandle;
}

void Shard::Empty(uint32_t handle) noexcept {
  // An entry that is evicted is cold: where nothing in it is of interest, it is not fetched from
  // memory.
  if (expiring_ > 0 && At(handle).Is(Entry::kExpires)) {
    wheel_.Remove(handle);
    expiring_ -= 1;
  }
  if (records_.Chained(handle)) {
    Body* const body = At(handle).body();
    body->in_entry = false;
    if (body->needed()) {
      SetOwner(*body, kNoHandle);
    } else {
      LetGo(body);
    }
  }
  slab_.Free(records_.LocationOf(handle));
}

void Shard::Drop(uint32_t handle) noexcept {
  (cleared_ == 0 || Live(At(handle)) ? live_ : cleared_) -= 1;
  if (hosted_) commons_.ledger.Give(HostBytes(At(handle).key()));
  Empty(handle);
  index_.Erase(records_[handle].hash, handle);
  records_.Free(handle);
}

Shard::Counts Shard::counts() const noexcept {
  return {.entries = live_,
          .cleared = cleared_,
          .evictions = evictions_,
          .expirations = expirations_,
          .moved_slots = moved_,
          .idle_bytes = slab_.idle_bytes(),
          .index_bytes = index_.committed(),
          .record_bytes = records_.committed(),
          .policy_bytes = policy_->MemoryBytes(),
          .pages = slab_.pages()};
}

}  // namespace drey
