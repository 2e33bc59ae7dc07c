#pragma once

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/slice.h"
#include "memory/system.h"
#include "memory_store/store.h"
#include "support/random.h"

// What the tests of the memory store share.
namespace drey::test {

inline constexpr uint64_t kMiB = 1024 * 1024;

// A clock that stands still until it is told.
struct ManualClock {
  std::atomic<double> now{1e12};

  Clock clock() {
    return {[](void* context) { return static_cast<ManualClock*>(context)->now.load(); }, this};
  }
};

// The system's memory, which refuses when it is told, and counts.
class FaultyMemory final : public SystemMemory {
 public:
  uint64_t Granularity() const noexcept override { return PosixMemory().Granularity(); }
  uint64_t HugePage() const noexcept override { return Granularity(); }
  uint64_t Physical() const noexcept override { return physical; }
  uint8_t* Reserve(uint64_t bytes) noexcept override {
    if (bytes > most_reserved) return nullptr;
    uint8_t* const start = PosixMemory().Reserve(bytes);
    const std::lock_guard lock(mutex);
    if (start != nullptr) committed_of[start] = 0;
    reservations = static_cast<int>(committed_of.size());
    return start;
  }
  void Release(uint8_t* start, uint64_t bytes) noexcept override {
    {
      const std::lock_guard lock(mutex);
      committed -= committed_of[start];
      committed_of.erase(start);
      reservations = static_cast<int>(committed_of.size());
    }
    PosixMemory().Release(start, bytes);
  }
  bool Commit(uint8_t* start, uint64_t bytes) noexcept override {
    const std::lock_guard lock(mutex);
    if (committed + bytes > most_committed) return false;
    committed += bytes;
    most = std::max(most, committed);
    Of(start) += bytes;
    return PosixMemory().Commit(start, bytes);
  }
  void GiveBack(uint8_t* start, uint64_t bytes) noexcept override {
    const std::lock_guard lock(mutex);
    committed -= bytes;
    Of(start) -= bytes;
    PosixMemory().GiveBack(start, bytes);
  }

  uint64_t physical = uint64_t{1} << 30;
  uint64_t most_reserved = UINT64_MAX;
  std::mutex mutex;
  uint64_t most_committed = UINT64_MAX;
  uint64_t committed = 0;
  // The most that was ever committed at once.
  uint64_t most = 0;
  int reservations = 0;

 private:
  uint64_t& Of(uint8_t* at) { return std::prev(committed_of.upper_bound(at))->second; }

  // By the start of its range.
  std::map<uint8_t*, uint64_t> committed_of;
};

// A value that says whose it is in every byte that it has: a wrong byte is seen wherever it is.
inline std::vector<uint8_t> ValueOf(uint64_t key, uint64_t version, uint64_t size) {
  std::vector<uint8_t> value(size);
  Random random(key * 1000003 + version);
  for (uint64_t at = 0; at < size; at += 8) {
    const uint64_t word = random.Next();
    std::memcpy(value.data() + at, &word, std::min<uint64_t>(8, size - at));
  }
  return value;
}

inline std::string KeyOf(uint64_t key) {
  std::string text = std::to_string(key);
  return "key:" + std::string(12 - std::min<size_t>(12, text.size()), '0') + text;
}

inline std::shared_ptr<MemoryStore> MakeStore(MemoryStoreOptions options, ManualClock& clock) {
  options.hash_key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  options.clock = clock.clock();
  Result<std::shared_ptr<MemoryStore>> made = MemoryStore::Create(options);
  return made.ok() ? made.value() : nullptr;
}

inline Metadata At(double cached_at) {
  Metadata metadata;
  metadata.cached_at = cached_at;
  return metadata;
}

using Stored = MemoryStore::Stored;

}  // namespace drey::test
