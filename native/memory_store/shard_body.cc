// The values of a shard that are too large for a slot.

#include <algorithm>
#include <cassert>

#include "memory_store/shard.h"

namespace drey {
namespace {

// Changes who needs a body, and with it the sum of pinned bytes.
template <class Change>
void Repin(Commons& commons, Body* body, Change change) noexcept {
  const uint64_t before = body->pinned() ? body->bytes() : 0;
  change();
  const uint64_t after = body->pinned() ? body->bytes() : 0;
  commons.pinned.fetch_add(after - before, std::memory_order_relaxed);
}

}  // namespace

void Shard::AddReader(Body* body) noexcept {
  Repin(commons_, body, [&] { body->readers += 1; });
}

void Shard::DropReader(Body* body) noexcept {
  Repin(commons_, body, [&] { body->readers -= 1; });
  if (!body->needed()) LetGo(body);
}

void Shard::DropDraft(Body* body) noexcept {
  Repin(commons_, body, [&] { body->in_draft = false; });
  if (!body->needed()) LetGo(body);
}

void Shard::Recharge(Body* body, uint64_t taken) noexcept {
  Repin(commons_, body, [&] {
    const uint64_t heap = body->HeapBytes();
    commons_.ledger.Charge(heap);
    commons_.ledger.Give(body->heap_bytes + taken);
    body->heap_bytes = heap;
  });
}

Location Shard::TakePiece(uint64_t bytes) noexcept {
  const uint64_t largest = commons_.classes.largest() - PieceHead::kBytes;
  const auto wanted = static_cast<uint32_t>(std::min(bytes, largest));
  const Location slot = TakeSlot(wanted + PieceHead::kBytes);
  if (slot == kNoLocation) return kNoLocation;
  const PieceHead head{Entry::kUsed | Entry::kPiece, 0, kNoHandle};
  std::memcpy(slab_.At(slot), &head, sizeof head);
  return slot;
}

void Shard::AddPiece(Body* body, Location slot, std::mutex& growing) noexcept {
  const uint64_t bytes = slab_.SizeOf(slot);
  const uint64_t room = slab_.IsPage(slot) ? bytes : bytes - PieceHead::kBytes;
  {
    const std::lock_guard lock(growing);
    body->pieces.push_back({body->room(), slot, static_cast<uint32_t>(room)});
  }
  Repin(commons_, body, [&] { body->slot_bytes += bytes; });
  Recharge(body);
}

bool Shard::AppendSlot(Body* body, uint64_t bytes, std::mutex& growing) noexcept {
  const Location slot = TakePiece(bytes);
  if (slot == kNoLocation) return false;
  AddPiece(body, slot, growing);
  return true;
}

bool Shard::AppendPage(Body* body, std::mutex& growing) noexcept {
  const Location page = slab_.TakePage();
  if (page == kNoLocation) return false;
  AddPiece(body, page, growing);
  return true;
}

void Shard::Truncate(Body* body, size_t count, std::mutex& growing) noexcept {
  while (body->pieces.size() > count) {
    const Piece piece = body->pieces.back();
    {
      const std::lock_guard lock(growing);
      body->pieces.pop_back();
    }
    FreeRetired(body, piece);
  }
}

void Shard::FreeRetired(Body* body, const Piece& piece) noexcept {
  const uint64_t bytes = slab_.SizeOf(piece.location);
  Repin(commons_, body, [&] { body->slot_bytes -= bytes; });
  slab_.Free(piece.location);
}

bool Shard::Trim(Body* body, uint64_t size, std::mutex& growing,
                 std::vector<Piece>& retired) noexcept {
  if (body->pieces.empty()) return true;
  const Piece last = body->pieces.back();
  const uint64_t used = size - last.begin;
  // What is saved must be worth the copy.
  if (last.room - used <= last.room / 16) return true;
  std::vector<Location> slots;
  uint64_t room = 0;
  while (room < used) {
    const Location slot = TakePiece(used - room);
    if (slot == kNoLocation) {
      for (const Location taken : slots) slab_.Free(taken);
      return false;
    }
    const uint64_t bytes = slab_.SizeOf(slot) - PieceHead::kBytes;
    std::memcpy(slab_.At(slot) + PieceHead::kBytes, BytesOf(last) + room,
                std::min(bytes, used - room));
    room += bytes;
    slots.push_back(slot);
  }
  uint64_t more = 0;
  {
    // In one step for those who read the draft: at no moment is there a byte below its size that no
    // piece has.
    const std::lock_guard lock(growing);
    body->pieces.pop_back();
    for (const Location slot : slots) {
      const uint64_t bytes = slab_.SizeOf(slot);
      body->pieces.push_back(
          {body->room(), slot, static_cast<uint32_t>(bytes - PieceHead::kBytes)});
      more += bytes;
    }
  }
  retired.push_back(last);
  Repin(commons_, body, [&] { body->slot_bytes += more; });
  Recharge(body);
  return true;
}

Slice Shard::ViewOf(const Body& body, uint64_t position, uint64_t end) const noexcept {
  if (position >= end) return {};
  const Piece& piece = body.PieceAt(position);
  return {BytesOf(piece) + (position - piece.begin), std::min(piece.end(), end) - position};
}

void Shard::SetOwner(const Body& body, uint32_t handle) noexcept {
  for (const Piece& piece : body.pieces) {
    if (slab_.IsPage(piece.location)) continue;
    const PieceHead head{Entry::kUsed | Entry::kPiece, 0, handle};
    std::memcpy(slab_.At(piece.location), &head, sizeof head);
  }
}

void Shard::LetGo(Body* body) noexcept {
  for (const Piece& piece : body->pieces) slab_.Free(piece.location);
  commons_.ledger.Give(body->heap_bytes);
  delete body;
}

}  // namespace drey
