// The index of the file store, where threads that move entries meet threads that evict them.

#include "file_store/disk_index.h"

#include <doctest/doctest.h>

#include "memory/system.h"

using namespace drey;
using namespace drey::file;

TEST_CASE("disk index: an entry is moved only from where it is") {
  const auto index = DiskIndex::Create(PosixMemory(), uint64_t{4} << 20);
  REQUIRE(index != nullptr);
  const Position first{1, 128};
  const Position second{2, 256};
  const IndexEntry entry{.identity = 7,
                         .sequence = 10,
                         .position = first,
                         .length = 64,
                         .expires = 0xFFFFFFFF,
                         .blob_units = 3,
                         .policy = 0};
  IndexEntry moved = entry;
  moved.position = second;
  IndexEntry before;
  CHECK(index->MoveEntry(moved, first, &before) == DiskIndex::Put::kOlder);
  CHECK(index->count() == 0);
  REQUIRE(index->PutEntry(entry, &before) == DiskIndex::Put::kInserted);
  CHECK(index->MoveEntry(moved, second, &before) == DiskIndex::Put::kOlder);
  CHECK(index->MoveEntry(moved, first, &before) == DiskIndex::Put::kReplaced);
  CHECK(before.position == first);
  CHECK(index->Find(7)->position == second);
  CHECK(index->blobs() == 1);
  // Evicted while its copy was on its way: its blob is gone, so it must not come back.
  REQUIRE(index->RemoveAt(7, second, &before));
  CHECK(index->MoveEntry(moved, second, &before) == DiskIndex::Put::kOlder);
  CHECK(!index->Find(7));
  CHECK(index->blobs() == 0);
}
