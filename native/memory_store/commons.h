#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "core/hash.h"
#include "memory/arena.h"
#include "memory/ledger.h"
#include "memory/size_class.h"
#include "memory_store/evictions.h"

namespace drey {

// Tells the time, in epoch milliseconds. Called from any thread, under a shard's lock.
struct Clock {
  double (*now)(void* context);
  void* context;
};

// What the shards of a store have in common. All of it is constant, or safe for several threads by
// itself.
struct Commons {
  Commons(SystemMemory& memory, const HashKey& key, Clock with, uint64_t max_bytes) noexcept
      : system(memory),
        hash_key(key),
        clock(with),
        ledger(max_bytes),
        classes(Arena::PageBytesFor(max_bytes)) {}

  double Now() const noexcept { return clock.now(clock.context); }

  SystemMemory& system;
  const HashKey hash_key;
  const Clock clock;
  Ledger ledger;
  const SizeClasses classes;
  std::unique_ptr<Arena> arena;
  // Bytes that cannot be had by evicting: of drafts, and of values that are being read.
  std::atomic<uint64_t> pinned{0};
  std::atomic<uint64_t> max_item_bytes{0};
  Evictions evictions{ledger};
};

}  // namespace drey
