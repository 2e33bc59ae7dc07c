#pragma once

#include <doctest/doctest.h>

#include "memory_fixture.h"

// Entries whose value follows from their key, so that whoever finds one can tell that it is right.
namespace drey::test {

// Sets the key to a value of its own, which `Has` knows.
inline Stored Put(MemoryStore& store, uint64_t key, uint64_t size, double until = kNever) {
  Metadata metadata = At(1e12);
  metadata.fresh_until = metadata.stale_if_error_until = until;
  return store.Set(SliceOf(KeyOf(key)), ValueOf(key, 0, size), metadata);
}

// Whether the key is there; what it has must be its own.
inline bool Has(MemoryStore& store, uint64_t key) {
  const EntryRef ref = store.Find(SliceOf(KeyOf(key)), true);
  if (!ref.found()) return false;
  std::vector<uint8_t> value(ref.head().size);
  REQUIRE(ref.Read(0, value) == value.size());
  REQUIRE(value == ValueOf(key, 0, value.size()));
  return true;
}

}  // namespace drey::test
