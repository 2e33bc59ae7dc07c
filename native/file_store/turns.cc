#include "file_store/turns.h"

#include <algorithm>
#include <bit>

namespace drey::file {
namespace {

constexpr uint32_t kMostCount = 3;
// Of s3-fifo: it has had a turn already.
constexpr uint32_t kHadTurn = 4;
constexpr uint32_t kMostLogarithm = 255;
constexpr uint32_t kClockMask = 0xFFFF;

}  // namespace

std::optional<TurnKind> TurnKindOf(std::string_view name) noexcept {
  if (name == "fifo") return TurnKind::kFifo;
  if (name == "lru") return TurnKind::kLru;
  if (name == "lfu") return TurnKind::kLfu;
  if (name == "sieve") return TurnKind::kSieve;
  if (name == "s3-fifo") return TurnKind::kS3Fifo;
  return std::nullopt;
}

uint32_t Turns::Taken(uint32_t state, const Turns& from, uint64_t clock,
                      uint32_t middle) const noexcept {
  const bool warm = from.Worth(state, clock, middle) > 0;
  // Half way round the clock: older than whoever is read from now on.
  if (kind() == TurnKind::kLru) {
    const uint64_t when = warm ? clock : clock - kClockMask / 2;
    return static_cast<uint32_t>(when) & kClockMask;
  }
  return warm ? Use(Begin(clock), clock) : Begin(clock);
}

uint32_t Turns::Begin(uint64_t clock) const noexcept {
  return kind() == TurnKind::kLru ? static_cast<uint32_t>(clock) & kClockMask : 0;
}

uint32_t Turns::Use(uint32_t state, uint64_t clock) const noexcept {
  switch (kind()) {
    case TurnKind::kFifo:
      return state;
    case TurnKind::kLru:
      return static_cast<uint32_t>(clock) & kClockMask;
    case TurnKind::kLfu: {
      // The more it has, the seldomer it counts: by about 16 times the count, uses become
      // doublings. Randomness that costs nothing: the clock's bits, mixed.
      const uint64_t mixed = (clock + 1) * 0x9E3779B97F4A7C15 >> 40;
      const uint64_t odds = uint64_t{state & kMostLogarithm} * state / 16 + 1;
      return state < kMostLogarithm && mixed % odds == 0 ? state + 1 : state;
    }
    case TurnKind::kSieve:
      return 1;
    case TurnKind::kS3Fifo:
      return (state & kHadTurn) | std::min((state & kMostCount) + 1, kMostCount);
  }
  return state;
}

uint32_t Turns::Measure(uint32_t state, uint64_t clock) const noexcept {
  if (kind() == TurnKind::kLru) {
    // How recent: the clock goes round, so it is its distance that counts.
    const uint32_t age = (static_cast<uint32_t>(clock) - state) & kClockMask;
    return kClockMask - age;
  }
  return state;
}

uint32_t Turns::Worth(uint32_t state, uint64_t clock, uint32_t middle) const noexcept {
  switch (kind()) {
    case TurnKind::kFifo:
      return 0;
    case TurnKind::kLru:
    case TurnKind::kLfu: {
      const uint32_t measure = Measure(state, clock);
      return measure > middle ? measure : 0;
    }
    case TurnKind::kSieve:
      return state;
    case TurnKind::kS3Fifo: {
      const uint32_t count = state & kMostCount;
      const uint32_t wanted = (state & kHadTurn) != 0 ? 2 : 1;
      return count >= wanted ? count : 0;
    }
  }
  return 0;
}

uint32_t Turns::Again(uint32_t state) const noexcept {
  switch (kind()) {
    case TurnKind::kFifo:
    case TurnKind::kLru:
      return state;
    case TurnKind::kLfu:
      return state / 2;
    case TurnKind::kSieve:
      return 0;
    case TurnKind::kS3Fifo: {
      const uint32_t count = state & kMostCount;
      return kHadTurn | (count > 0 ? count - 1 : 0);
    }
  }
  return 0;
}

}  // namespace drey::file
