#include "policy/ghost.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace drey {
namespace {

// At most one entry is remembered for so many bytes of capacity.
constexpr uint64_t kCapacityPerSlot = 512;
constexpr uint64_t kMostSlots = uint64_t{1} << 30;

}  // namespace

bool Ghost::Reserve(SystemMemory& system, Ledger& ledger, uint64_t most,
                    uint32_t last_number) noexcept {
  most_reserved_ = std::clamp<uint64_t>(most, kLeastSlots, kMostSlots);
  last_number_ = last_number;
  return memory_.Reserve(system, ledger, most_reserved_ * sizeof(Slot)) &&
         chain_memory_.Reserve(system, ledger, std::bit_ceil(most_reserved_) * sizeof(uint32_t));
}

void Ghost::SetCapacity(uint64_t max_bytes, uint64_t capacity) noexcept {
  max_bytes_ = max_bytes;
  most_slots_ = static_cast<uint32_t>(
      std::clamp<uint64_t>(capacity / kCapacityPerSlot, kLeastSlots, most_reserved_));
  Trim();
  while (used() > most_slots_) ForgetOldest();
  if (slots_ > most_slots_) {
    Rebuild(most_slots_);
    memory_.Shrink(slots_ * sizeof(Slot));
    chain_memory_.Shrink(chains_ * sizeof(uint32_t));
  }
}

void Ghost::Add(uint32_t fingerprint, uint64_t size) noexcept {
  if (used() == slots_ && (slots_ == most_slots_ || Grow() != Region::Growth::kDone)) {
    if (slots_ == 0) return;
    ForgetOldest();
  }
  if (next_ == last_number_) Rebuild(slots_);
  const auto weight = static_cast<uint32_t>(std::min<uint64_t>(size, UINT32_MAX));
  uint32_t& chain = ChainOf(fingerprint);
  SlotOf(next_) = {.fingerprint = fingerprint, .size = weight, .link = chain};
  chain = next_++;
  bytes_ += weight;
}

bool Ghost::Take(uint32_t fingerprint) noexcept {
  const bool found = slots_ > 0 && Unlink(fingerprint);
  Trim();
  return found;
}

Region::Growth Ghost::Prepare() noexcept {
  return wanting_ && slots_ < most_slots_ ? Grow() : Region::Growth::kDone;
}

bool Ghost::Unlink(uint32_t fingerprint) noexcept {
  uint32_t* to = &ChainOf(fingerprint);
  while (*to >= first_) {
    Slot& slot = SlotOf(*to);
    if (slot.fingerprint == fingerprint) {
      *to = slot.link;
      slot.link = kTaken;
      bytes_ -= slot.size;
      return true;
    }
    to = &slot.link;
  }
  return false;
}

void Ghost::Trim() noexcept {
  while (bytes_ > max_bytes_) ForgetOldest();
}

void Ghost::ForgetOldest() noexcept {
  const Slot& slot = SlotOf(first_);
  if (slot.link != kTaken) bytes_ -= slot.size;
  first_ += 1;
}

Region::Growth Ghost::Grow() noexcept {
  wanting_ = true;
  const uint64_t wanted =
      std::min<uint64_t>(most_slots_, std::max(kLeastSlots, slots_ + slots_ / 8));
  const Region::Growth chains =
      chain_memory_.Grow(std::bit_ceil((wanted + 1) / 2) * sizeof(uint32_t));
  if (chains != Region::Growth::kDone) return chains;
  const Region::Growth slots = memory_.Grow(wanted * sizeof(Slot));
  if (slots != Region::Growth::kDone) return slots;
  wanting_ = false;
  Rebuild(static_cast<uint32_t>(wanted));
  return Region::Growth::kDone;
}

void Ghost::Rebuild(uint32_t slots) noexcept {
  Slot* const all = reinterpret_cast<Slot*>(memory_.data());
  uint32_t kept = 0;
  if (slots_ > 0) {
    const uint32_t in_use = used();
    std::rotate(all, all + first_ % slots_, all + slots_);
    for (uint32_t at = 0; at < in_use; at++) {
      if (all[at].link != kTaken) all[kept++] = all[at];
    }
  }
  slots_ = slots;
  chains_ = std::bit_ceil((slots + 1) / 2);
  auto* const heads = reinterpret_cast<uint32_t*>(chain_memory_.data());
  std::memset(heads, 0, chains_ * sizeof(uint32_t));
  // The oldest is in slot 0, so its number is a multiple of the slots; and it is not 0, which is
  // the end of a chain.
  first_ = slots;
  next_ = first_;
  for (uint32_t at = 0; at < kept; at++) {
    uint32_t& chain = ChainOf(all[at].fingerprint);
    all[at].link = chain;
    chain = next_++;
  }
}

}  // namespace drey
