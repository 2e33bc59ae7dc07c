#include "memory_store/draft.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "memory_store/shard.h"
#include "memory_store/store.h"

namespace drey {

Draft::Draft(std::shared_ptr<MemoryStore> store, Shard& shard, std::shared_ptr<Pass> pass,
             uint64_t declared, bool one_call)
    : store_(std::move(store)),
      shard_(shard),
      pass_(std::move(pass)),
      declared_(declared),
      one_call_(one_call),
      body_(new Body) {
  const std::lock_guard lock(shard_.mutex);
  body_->in_draft = true;
  shard_.Recharge(body_);
  shard_.AddReader(body_);
}

Draft::~Draft() {
  Abort();
  const std::lock_guard lock(shard_.mutex);
  for (const Piece& piece : retired_) shard_.FreeRetired(body_, piece);
  shard_.DropReader(body_);
}

Draft::Outcome Draft::Append(Slice bytes, bool again) {
  const uint64_t size = size_.load(std::memory_order_relaxed);
  const uint64_t most = store_->max_item_bytes();
  if (bytes.size() > most || size > most - bytes.size()) {
    store_->CountRefusal();
    return Outcome::kTooLarge;
  }
  const Outcome reserved = Reserve(size + bytes.size(), again);
  if (reserved != Outcome::kDone) {
    if (reserved == Outcome::kNoRoom && !again) store_->CountRefusal();
    return reserved;
  }
  // Nobody else changes the pieces, and nobody reads beyond the size: no lock.
  uint64_t at = size;
  while (!bytes.empty()) {
    const Slice room = shard_.ViewOf(*body_, at, body_->room());
    const size_t count = std::min(room.size(), bytes.size());
    std::memcpy(const_cast<uint8_t*>(room.data()), bytes.data(), count);
    bytes = bytes.subspan(count);
    at += count;
  }
  size_.store(at, std::memory_order_release);
  store_->Settle();
  if (!one_call_) pass_->OnGrown();
  return Outcome::kDone;
}

// Pages for what is known to fill them, slots for the rest; nothing more is kept of what could not
// be had in full.
Draft::Outcome Draft::Reserve(uint64_t room, bool again) {
  size_t before = 0;
  {
    const std::lock_guard lock(shard_.mutex);
    if (ended_) return Outcome::kEnded;
    // Of an attempt before, there may be pieces that nothing is in.
    const uint64_t size = size_.load(std::memory_order_relaxed);
    before = body_->pieces.size();
    while (before > 0 && body_->pieces[before - 1].begin >= size) before -= 1;
  }
  const uint64_t page = store_->page_bytes();
  while (body_->room() < room) {
    const uint64_t there = body_->room();
    const uint64_t expected = declared_ == kUnknown ? 0 : declared_;
    const uint64_t wanted = std::max(room, expected) - there;
    // A value whose size nobody told, and that has filled a page's worth of slots, is a large one.
    const bool large = wanted >= page || (expected < room && there >= page);
    const uint64_t least = expected < room ? store_->largest_slot() : wanted;
    const bool had =
        large ? store_->WithPage(shard_, [&] { return shard_.AppendPage(body_, growing_); })
              : store_->WithRoom(shard_, [&] {
                  return shard_.AppendSlot(body_, std::max(wanted, least), growing_);
                });
    if (had) continue;
    if (again) return Outcome::kNoRoom;
    const std::lock_guard lock(shard_.mutex);
    shard_.Truncate(body_, before, growing_);
    return Outcome::kNoRoom;
  }
  return Outcome::kDone;
}

Draft::Outcome Draft::Commit(const Metadata& metadata, bool again) {
  if (metadata.text_size() > kMostTextBytes) {
    store_->CountRefusal();
    Abort();
    return Outcome::kTooLarge;
  }
  Outcome outcome = Outcome::kNoRoom;
  const bool had = store_->WithRoom(shard_, [&] {
    outcome = CommitLocked(metadata, again);
    return outcome != Outcome::kNoRoom;
  });
  if (!had && again) return Outcome::kNoRoom;
  if (!had) {
    store_->CountRefusal();
    Abort();
    return Outcome::kNoRoom;
  }
  if (outcome == Outcome::kDone) {
    pass_->OnCommitted();
  } else if (outcome == Outcome::kFenced) {
    TellAborted();
  }
  return outcome;
}

Draft::Outcome Draft::CommitLocked(const Metadata& metadata, bool again) {
  if (ended_) return Outcome::kEnded;
  if (PassTable::Fenced(*pass_)) {
    EndLocked();
    return Outcome::kFenced;
  }
  const uint64_t size = size_.load(std::memory_order_relaxed);
  Shard::Outcome put;
  if (Shard::SlotBytes(pass_->key(), size, metadata) <= store_->largest_slot()) {
    std::array<uint8_t, SizeClasses::kLargest> value;
    Read(0, std::span(value).first(size));
    put = shard_.Put(pass_->hash(), pass_->key(), Slice(value).first(size), metadata);
  } else {
    const bool trimmed = !retired_.empty() || shard_.Trim(body_, size, growing_, retired_);
    if (!trimmed && again) return Outcome::kNoRoom;
    body_->size = size;
    put = shard_.PutBody(pass_->hash(), pass_->key(), body_, metadata);
  }
  if (put != Shard::Outcome::kDone) return Outcome::kNoRoom;
  shard_.passes.Commit(*pass_);
  EndLocked();
  return Outcome::kDone;
}

void Draft::EndLocked() noexcept {
  ended_ = true;
  if (!one_call_ || pass_->kind() == Pass::Kind::kWrite) shard_.passes.Leave(*pass_);
  shard_.DropDraft(body_);
}

void Draft::Abort() noexcept {
  {
    const std::lock_guard lock(shard_.mutex);
    if (ended_) return;
    EndLocked();
  }
  TellAborted();
}

void Draft::TellAborted() noexcept {
  if (!one_call_) pass_->OnAborted();
}

uint64_t Draft::Read(uint64_t position, std::span<uint8_t> to) const noexcept {
  uint64_t done = 0;
  while (done < to.size()) {
    const Slice view = View(position + done);
    if (view.empty()) break;
    const size_t count = std::min(view.size(), to.size() - done);
    std::memcpy(to.data() + done, view.data(), count);
    done += count;
  }
  return done;
}

Slice Draft::View(uint64_t position) const noexcept {
  const uint64_t end = size();
  const std::lock_guard lock(growing_);
  return shard_.ViewOf(*body_, position, end);
}

}  // namespace drey
