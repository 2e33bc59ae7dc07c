#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>

namespace drey::file {

enum class TurnKind : uint8_t { kFifo, kLru, kLfu, kSieve, kS3Fifo };
std::optional<TurnKind> TurnKindOf(std::string_view name) noexcept;

// What an eviction policy is to a log, which is a queue: it says who gets another turn when his
// segment is the oldest (D8). It keeps 32 bits an entry; what they mean is its own.
//
// Safe from any thread as far as it is told: the clock and the averages are atomic by their users'
// locks, and hints where they are not.
class Turns {
 public:
  explicit Turns(TurnKind kind) noexcept : kind_(kind) {}

  TurnKind kind() const noexcept { return kind_.load(std::memory_order_relaxed); }
  void Become(TurnKind kind) noexcept { kind_.store(kind, std::memory_order_relaxed); }
  // What a state of another policy becomes under this one: who was worth another turn still is, and
  // nobody else.
  uint32_t Taken(uint32_t state, const Turns& from, uint64_t clock, uint32_t middle) const noexcept;

  // The state of an entry that comes.
  uint32_t Begin(uint64_t clock) const noexcept;
  // It was read.
  uint32_t Use(uint32_t state, uint64_t clock) const noexcept;
  // What it is worth, of those whose turn is over: 0 goes, the greatest stays first. `middle` is
  // what Middle made of all.
  uint32_t Worth(uint32_t state, uint64_t clock, uint32_t middle) const noexcept;
  // The state after it got another turn.
  uint32_t Again(uint32_t state) const noexcept;
  // By which Middle is found: it is the median of them.
  uint32_t Measure(uint32_t state, uint64_t clock) const noexcept;

 private:
  std::atomic<TurnKind> kind_;
};

}  // namespace drey::file
