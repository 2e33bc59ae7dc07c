#include "policy/ghost.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace drey {
namespace {

// At most one entry is remembered for so many bytes of capacity.
constexpr uint64_t kCapacityPerSlot = 2048;
// When there are no more slots to be had, it is worth moving the queue together if so large a part
// of it was taken.
constexpr uint64_t kWorthMoving = 8;

// Of a size as it is remembered: how many bits follow the highest one.
constexpr int kMantissaBits = 7;
constexpr int kMostExponent = 30;

// The size in 12 bits: as it is if it has 8 bits, else an exponent and the bits after the highest
// one.
uint32_t EncodeSize(uint64_t size) noexcept {
  const int exponent = std::max(0, static_cast<int>(std::bit_width(size)) - kMantissaBits - 1);
  if (exponent > kMostExponent) return ((kMostExponent + 2) << kMantissaBits) - 1;
  return (static_cast<uint32_t>(exponent) << kMantissaBits) +
         static_cast<uint32_t>(size >> exponent);
}

uint64_t DecodeSize(uint32_t code) noexcept {
  const uint32_t high = code >> kMantissaBits;
  const uint32_t exponent = high > 0 ? high - 1 : 0;
  return uint64_t{code - (exponent << kMantissaBits)} << exponent;
}

uint32_t ChainsFor(uint64_t slots) noexcept {
  return static_cast<uint32_t>(std::bit_ceil((slots + 3) / 4));
}

}  // namespace

bool Ghost::Reserve(SystemMemory& system, Ledger& ledger, uint64_t most,
                    uint32_t last_number) noexcept {
  most_reserved_ = std::clamp<uint64_t>(most, kLeastSlots, kMostSlots);
  last_number_ = last_number;
  return memory_.Reserve(system, ledger, most_reserved_ * sizeof(Slot)) &&
         chain_memory_.Reserve(system, ledger, ChainsFor(most_reserved_) * sizeof(uint32_t));
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
  if (used() == slots_) MakeRoom();
  if (slots_ == 0) return;
  if (next_ == last_number_) Rebuild(slots_);
  const uint32_t code = EncodeSize(size);
  Append(fingerprint, code);
  bytes_ += DecodeSize(code);
}

bool Ghost::Take(uint32_t fingerprint) noexcept {
  const bool found = slots_ > 0 && Unlink(fingerprint);
  Trim();
  return found;
}

Region::Growth Ghost::Prepare() noexcept {
  return wanting_ && slots_ < most_slots_ ? Grow() : Region::Growth::kDone;
}

void Ghost::MakeRoom() noexcept {
  if (slots_ < most_slots_ && Grow() == Region::Growth::kDone) return;
  if (slots_ == 0) return;
  if (taken_ * kWorthMoving >= slots_) {
    Rebuild(slots_);
  } else {
    ForgetOldest();
  }
}

void Ghost::Append(uint32_t fingerprint, uint32_t size_code) noexcept {
  uint32_t& chain = ChainOf(fingerprint);
  SlotOf(next_) = Slot(fingerprint, size_code, chain >= first_ ? next_ - chain : 0);
  chain = next_++;
}

bool Ghost::Unlink(uint32_t fingerprint) noexcept {
  uint32_t& chain = ChainOf(fingerprint);
  uint32_t before = 0;
  for (uint32_t number = chain; number >= first_;) {
    Slot& slot = SlotOf(number);
    const uint32_t link = slot.link();
    const uint32_t older = link == 0 ? 0 : number - link;
    if (slot.fingerprint() == fingerprint) {
      if (before == 0) {
        chain = older;
      } else {
        SlotOf(before).set_link(older >= first_ ? before - older : 0);
      }
      slot.set_link(kTaken);
      taken_ += 1;
      bytes_ -= DecodeSize(slot.size_code());
      return true;
    }
    before = number;
    number = older;
  }
  return false;
}

void Ghost::Trim() noexcept {
  while (bytes_ > max_bytes_) ForgetOldest();
}

void Ghost::ForgetOldest() noexcept {
  const Slot& slot = SlotOf(first_);
  if (slot.link() == kTaken) {
    taken_ -= 1;
  } else {
    bytes_ -= DecodeSize(slot.size_code());
  }
  first_ += 1;
}

Region::Growth Ghost::Grow() noexcept {
  wanting_ = true;
  const uint64_t wanted =
      std::min<uint64_t>(most_slots_, std::max(kLeastSlots, slots_ + slots_ / 8));
  const Region::Growth chains = chain_memory_.Grow(ChainsFor(wanted) * sizeof(uint32_t));
  if (chains != Region::Growth::kDone) return chains;
  const Region::Growth slots = memory_.Grow(wanted * sizeof(Slot));
  if (slots != Region::Growth::kDone) return slots;
  wanting_ = false;
  Rebuild(static_cast<uint32_t>(wanted));
  return Region::Growth::kDone;
}

void Ghost::Rebuild(uint32_t slots) noexcept {
  uint32_t kept = 0;
  if (slots_ > 0) {
    const uint32_t in_use = used();
    Slot* const all = this->slots();
    std::rotate(all, all + first_ % slots_, all + slots_);
    for (uint32_t at = 0; at < in_use; at++) {
      if (all[at].link() != kTaken) all[kept++] = all[at];
    }
  }
  slots_ = slots;
  chains_ = ChainsFor(slots);
  std::memset(chain_memory_.data(), 0, chains_ * sizeof(uint32_t));
  // Slot 0 has the oldest, so its number is a multiple of the slots; and not 0, which is no number.
  first_ = slots;
  next_ = first_;
  taken_ = 0;
  for (uint32_t at = 0; at < kept; at++) {
    const Slot slot = this->slots()[at];
    Append(slot.fingerprint(), slot.size_code());
  }
}

}  // namespace drey
