#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/slice.h"
#include "memory/ledger.h"
#include "memory/slab.h"

namespace drey {

// A slot that holds a part of a value, or a page that does.
struct Piece {
  // Position of its first byte in the value.
  uint64_t begin;
  Location location;
  // Bytes of a value that it has room for; but for the last piece, all of them are used.
  uint32_t room;

  uint64_t end() const noexcept { return begin + room; }
};

// At the start of a slot that is a piece: the mark that every used slot begins with, and whose it
// is, so that pieces can be moved. Pages that are one piece have none.
struct PieceHead {
  uint16_t mark;
  uint16_t unused;
  // Handle of the entry; kNoHandle while the bytes may not be moved.
  uint32_t owner;

  static constexpr uint32_t kBytes = 8;
};

// A value that is too large for a slot, and who needs it.
//
// Invariants:
//  - It lives while an entry or a draft owns it or somebody reads it, and frees its slots when the
//  last of them goes (Shard::LetGo).
//  - The bytes of a body that is a draft's or is read do not move; others may, under the shard's
//  lock.
//  - Pinned (a draft's, or read): its bytes cannot be had by evicting, and are in the store's sum
//  of pinned bytes.
//  - Pieces of a draft change only under the draft's lock as well, so that growing reads need no
//  other. Those of a
//    committed body that is pinned do not change.
// Guarded by the shard's lock.
struct Body {
  std::vector<Piece> pieces;
  // Key, etag and user of an entry whose slot has no room for them.
  std::unique_ptr<uint8_t[]> outside;
  uint32_t outside_size = 0;
  uint32_t readers = 0;
  bool in_entry = false;
  bool in_draft = false;
  // Bytes of the value.
  uint64_t size = 0;
  // Bytes of the slots and pages.
  uint64_t slot_bytes = 0;
  // What the ledger was charged for this object and its parts.
  uint64_t heap_bytes = 0;

  // What the pieces have room for.
  uint64_t room() const noexcept { return pieces.empty() ? 0 : pieces.back().end(); }
  // The piece with the byte at `position`, which is before room().
  const Piece& PieceAt(uint64_t position) const noexcept {
    auto after = std::ranges::upper_bound(pieces, position, {}, &Piece::begin);
    return *--after;
  }

  bool pinned() const noexcept { return in_draft || readers > 0; }
  bool needed() const noexcept { return in_entry || pinned(); }
  uint64_t bytes() const noexcept { return slot_bytes + heap_bytes; }
  uint64_t HeapBytes() const noexcept {
    return HeapCost(sizeof(Body)) + HeapCost(pieces.capacity() * sizeof(Piece)) +
           HeapCost(outside_size);
  }
};

}  // namespace drey
