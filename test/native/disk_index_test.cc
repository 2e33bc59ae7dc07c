// The index of the file store, where threads that move entries meet threads that evict them.

#include "file_store/disk_index.h"

#include <doctest/doctest.h>

#include "memory/system.h"

using namespace drey;
using namespace drey::file;

TEST_CASE("disk index: a value is moved only while it is there") {
  const auto index = DiskIndex::Create(PosixMemory(), uint64_t{4} << 20);
  REQUIRE(index != nullptr);
  const IndexEntry entry{.identity = 7,
                         .sequence = 10,
                         .position = {1, 128},
                         .length = 64,
                         .expires = 0xFFFFFFFF,
                         .blob_units = 3,
                         .policy = 0};
  IndexEntry copied = entry;
  copied.position = {2, 256};
  IndexEntry revised = copied;
  revised.sequence = 12;
  IndexEntry before;
  CHECK(index->MoveEntry(copied, 10, &before) == DiskIndex::Put::kOlder);
  CHECK(index->count() == 0);
  REQUIRE(index->PutEntry(entry, &before) == DiskIndex::Put::kInserted);
  CHECK(index->MoveEntry(copied, 9, &before) == DiskIndex::Put::kOlder);
  CHECK(index->MoveEntry(copied, 10, &before) == DiskIndex::Put::kReplaced);
  CHECK(before.position == entry.position);
  CHECK(index->MoveEntry(revised, 10, &before) == DiskIndex::Put::kReplaced);
  // A copy of what was revised meanwhile.
  CHECK(index->MoveEntry(copied, 10, &before) == DiskIndex::Put::kOlder);
  CHECK(index->Find(7)->sequence == 12);
  CHECK(index->blobs() == 1);
  // Evicted while its copy was on its way: its blob is gone, so it must not come back.
  REQUIRE(index->RemoveAt(7, revised.position, &before));
  CHECK(index->MoveEntry(revised, 12, &before) == DiskIndex::Put::kOlder);
  CHECK(!index->Find(7));
  CHECK(index->blobs() == 0);
}
