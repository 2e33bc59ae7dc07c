// How a shard makes room: what it frees, in which order, and how pages move between classes.

#include <algorithm>
#include <cassert>

#include "memory_store/shard.h"

namespace drey {
namespace {

// How often the policy is asked anew when it met nothing but pinned entries.
constexpr int kMostTries = 8;

// Insertions between two looks at what the policy would like to have: its memory is worth a page
// now and then, and no more.
constexpr uint32_t kPolicyPause = 64;
constexpr uint32_t kLongestPolicyPause = 65536;

// How often the system may refuse memory to a table, pages having been given back, before the entry
// is refused.
constexpr int kMostRefusals = 4;

// Records looked at for one cleared entry that is to be found: where few of them are left, none of
// the calls takes long.
constexpr uint64_t kLooksPerTidied = 64;

// A slot may stand in for one of a smaller class if it is at most this much larger: an eighth.
constexpr uint32_t kStandIn = 8;

}  // namespace

Location Shard::TakeRoom(uint64_t bytes) noexcept {
  if (commons_.ledger.Over() && !Settle()) return kNoLocation;
  if (cleared_ > 0) Tidy(16);
  if (records_.Sparse()) Renumber();
  if (--policy_wait_ == 0) PreparePolicy();
  for (;;) {
    if (!PrepareTables()) return kNoLocation;
    const Location slot = TakeSlot(static_cast<uint32_t>(bytes));
    if (slot == kNoLocation) return kNoLocation;
    // Evicting may have set the index moving, which takes from what was prepared.
    if (index_.Prepare() == Region::Growth::kDone && records_.Prepare() == Region::Growth::kDone) {
      return slot;
    }
    *slab_.At(slot) = Entry::kUsed;
    slab_.Free(slot);
  }
}

bool Shard::Settle() noexcept {
  while (commons_.ledger.Over()) {
    if (commons_.arena->GiveBack(1) == 0 && !FreeSome()) return false;
  }
  return true;
}

bool Shard::TakeHeap(uint64_t bytes) noexcept {
  while (!commons_.ledger.Take(bytes)) {
    if (commons_.arena->GiveBack(1) == 0 && !FreeSome()) return false;
  }
  return true;
}

void Shard::PreparePolicy() noexcept {
  Region::Growth growth = policy().Prepare();
  if (growth == Region::Growth::kNoRoom) {
    if (commons_.arena->GiveBack(1) > 0 || (FreePage() && commons_.arena->GiveBack(1) > 0)) {
      growth = policy().Prepare();
    }
  }
  // What it cannot have now is asked for ever more seldom.
  const bool had = growth == Region::Growth::kDone;
  policy_pause_ = had ? kPolicyPause : std::min(policy_pause_ * 2, kLongestPolicyPause);
  policy_wait_ = policy_pause_;
}

bool Shard::PrepareTables() noexcept {
  for (int refused = 0;;) {
    const Region::Growth index = index_.Prepare();
    const Region::Growth records = records_.Prepare();
    if (index == Region::Growth::kDone && records == Region::Growth::kDone) return true;
    if (index == Region::Growth::kRefused || records == Region::Growth::kRefused) {
      commons_.arena->LowerBound();
      if (++refused == kMostRefusals) return false;
    }
    // A table grows by what a page gives back. Where no page may go, an entry's record and its
    // place in the index will do as well.
    if (commons_.arena->GiveBack(1) == 0 && !FreePage() && !EvictOne()) return false;
  }
}

Location Shard::TakeSlot(uint32_t bytes) noexcept {
  const uint32_t wanted = commons_.classes.For(bytes);
  const uint32_t most = bytes + bytes / kStandIn;
  for (;;) {
    if (const Location slot = slab_.Take(wanted); slot != kNoLocation) return slot;
    if (slab_.AddPage(wanted)) continue;
    for (uint32_t larger = wanted + 1;
         larger < commons_.classes.count() && commons_.classes.Size(larger) <= most; larger++) {
      if (const Location slot = slab_.Take(larger); slot != kNoLocation) return slot;
    }
    if (!FreeSome()) return kNoLocation;
  }
}

bool Shard::FreeSome() noexcept {
  if (cleared_ > 0) {
    const uint64_t before = cleared_;
    Tidy(64);
    if (cleared_ < before) return true;
  }
  if (expiring_ > 0 && MayTell()) {
    const uint32_t handle = DueNow();
    if (handle != Wheel::kNobody) {
      // Also one that is being read, whose bytes come back later: those that are due behind it must
      // not wait for its reader.
      policy().Remove(handle);
      TellEvicted(handle, true);
      Drop(handle);
      expirations_ += 1;
      return true;
    }
  }
  if (slab_.HasSurplus()) {
    const uint32_t page = slab_.Movable();
    if (page != kNoPage && EmptyPage(page)) return true;
  }
  return EvictOne();
}

bool Shard::EvictOne() noexcept {
  // The host is asked first, unless the bound would not hold until then.
  if (asks_ && !(commons_.ledger.Over() && MayTell())) return false;
  // Where pinned entries are in the way, each call goes on behind those of the last.
  for (int tries = 0; tries < kMostTries && policy().count() > 0; tries++) {
    const uint32_t handle = policy().Evict(false);
    if (handle == PolicyNode::kNone) continue;
    TellEvicted(handle, false);
    Drop(handle);
    evictions_ += 1;
    ExpectEviction();
    return true;
  }
  return false;
}

void Shard::ExpectEviction() const noexcept {
  const uint32_t next = policy_->LikelyVictim();
  if (next == PolicyNode::kNone) return;
  const Record& record = records_[next];
  // Its slot will be free, and most likely the next to be written to.
  FetchToWrite(records_.LocationOf(next));
  index_.Prefetch(record.hash);
  policy_->ExpectAdd(record.hash);
  const uint32_t after = record.node.newer();
  if (after == PolicyNode::kNone) return;
  __builtin_prefetch(&records_[after], 1);
  records_.Prefetch(after);
}

bool Shard::FreePage() noexcept {
  const uint64_t pages = slab_.pages();
  while (slab_.pages() >= pages) {
    if (!FreeSome()) return false;
  }
  return true;
}

void Shard::Tidy(uint32_t count) noexcept {
  uint64_t looks = uint64_t{count} * kLooksPerTidied;
  while (cleared_ > 0 && count > 0 && looks > 0 && tidied_ < records_.end()) {
    looks -= 1;
    const uint32_t handle = tidied_++;
    if (!records_.Used(handle) || Live(At(handle))) continue;
    policy().Remove(handle);
    Drop(handle);
    count -= 1;
  }
}

void Shard::Renumber() noexcept {
  const uint32_t from = records_.UpperUsed();
  if (from == kNoHandle) return;
  if (!Live(At(from))) {
    // Tidy may have been where it would go to.
    policy().Remove(from);
    Drop(from);
    return;
  }
  const uint32_t to = records_.Take();
  if (to > from) {
    records_.Free(to);
    return;
  }
  Entry entry = At(from);
  const bool expires = entry.Is(Entry::kExpires);
  if (expires) wheel_.Remove(from);
  policy().Remove(from);
  records_[to] = {.hash = records_[from].hash, .node = {}};
  records_.SetLocation(to, records_.LocationOf(from), records_.Chained(from));
  index_.Rename(records_[from].hash, from, to);
  records_.Free(from);
  if (expires) wheel_.Add(to);
  if (const Body* const body = entry.body(); body != nullptr) SetOwner(*body, to);
  // What has stayed while all around it went is hot: the policy is told so.
  policy().Add(to);
  policy().Touch(to);
  policy().Touch(to);
}

bool Shard::EmptyPage(uint32_t page) noexcept {
  const uint32_t size_class = slab_.ClassOfPage(page);
  slab_.SetAside(page);
  Location from = slab_.NextUsed(page, kNoLocation);
  while (from != kNoLocation) {
    // Asked before moving: with its last slot the page is gone.
    const Location next = slab_.NextUsed(page, from);
    const bool moved = Entry(slab_.At(from)).Is(Entry::kPiece) ? MovePiece(from, size_class)
                                                               : MoveEntry(from, size_class);
    if (!moved) {
      slab_.PutBack(page);
      return false;
    }
    moved_ += 1;
    from = next;
  }
  return true;
}

bool Shard::MoveEntry(Location from, uint32_t size_class) noexcept {
  const Location to = slab_.Take(size_class);
  if (to == kNoLocation) return false;
  const Slice key = Entry(slab_.At(from)).key();
  const uint32_t handle =
      index_.Find(IndexHash(drey::Hash(commons_.hash_key, key)),
                  [&](uint32_t candidate) { return records_.LocationOf(candidate) == from; });
  assert(handle != kNoHandle);
  std::memcpy(slab_.At(to), slab_.At(from), commons_.classes.Size(size_class));
  records_.SetLocation(handle, to, records_.Chained(handle));
  slab_.Free(from);
  return true;
}

bool Shard::MovePiece(Location from, uint32_t size_class) noexcept {
  PieceHead head;
  std::memcpy(&head, slab_.At(from), sizeof head);
  if (head.owner == kNoHandle) return false;
  Body* const body = At(head.owner).body();
  if (body->pinned()) return false;
  const Location to = slab_.Take(size_class);
  if (to == kNoLocation) return false;
  std::memcpy(slab_.At(to), slab_.At(from), commons_.classes.Size(size_class));
  const auto piece = std::ranges::find(body->pieces, from, &Piece::location);
  assert(piece != body->pieces.end());
  piece->location = to;
  slab_.Free(from);
  return true;
}

}  // namespace drey
