#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/status.h"
#include "file_store/directory.h"
#include "file_store/disk_ledger.h"
#include "file_store/format/blob_table.h"
#include "file_store/open_files.h"

namespace drey::file {

// What a blob's name takes in its folder, about.
constexpr uint64_t kBlobName = 128;

// What a blob takes of the ledger.
constexpr uint64_t BlobCharge(uint32_t units) noexcept {
  return units == 0 ? 0 : uint64_t{units} * kUnit + kBlobName;
}

// A blob that is being written: chunks one after the other, then the table.
//
// Invariants:
//  - What the file takes is in the ledger before it is written.
//  - Unless it was kept, the file is gone when this is, and what it took is given back.
// One thread at a time.
class BlobWriter {
 public:
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  // After a failure nothing but the end of it makes sense.
  Status Append(const ChunkEntry& chunk, Slice stored) {
    return Append(std::span(&chunk, 1), std::span(&stored, 1));
  }
  // Several, one after the other; many bytes are written from where they are.
  Status Append(std::span<const ChunkEntry> chunks, std::span<const Slice> stored);
  // Writes the table; with `sync`, file and folder survive a power loss.
  Status Finish(bool sync);
  // Its record is in the log: from here on the file is the entry's.
  void Keep();

  const BlobName& name() const noexcept { return name_; }
  uint64_t stored() const noexcept { return stored_; }
  // What it has of the ledger.
  uint64_t charge() const noexcept { return charge_; }
  // After Finish.
  uint32_t units() const noexcept { return units_; }

 private:
  friend class Blobs;

  BlobWriter(class Blobs& blobs, const BlobName& name) noexcept : blobs_(blobs), name_(name) {}
  Status Reserve(uint64_t end);
  Status WriteGathered(std::span<const Slice> more = {});

  class Blobs& blobs_;
  const BlobName name_;
  const Folder* folder_ = nullptr;
  File file_;
  std::vector<ChunkEntry> chunks_;
  // Small chunks wait here to be written together.
  std::vector<uint8_t> gathered_;
  uint64_t written_ = 0;
  uint64_t stored_ = 0;
  uint64_t charge_ = 0;
  uint32_t units_ = 0;
  bool kept_ = false;
};

// An open blob. Each page of its table and each chunk is checked before a byte of it is given (D1).
// One thread at a time.
class BlobReader {
 public:
  BlobReader(OpenFiles::Handle file, const Context& context, const BlobName& name,
             const BlobShape& shape) noexcept
      : file_(std::move(file)), context_(context), name_(name), shape_(shape) {}

  const BlobShape& shape() const noexcept { return shape_; }
  // The chunk as it is stored, in `into`, which must have room for its raw length; `chunk` says how
  // much of that it takes. kCorrupt when it is not what was written.
  Status ReadChunk(uint64_t at, std::span<uint8_t> into, ChunkEntry* chunk);

 private:
  Status LoadPage(uint64_t page);

  const OpenFiles::Handle file_;
  const Context& context_;
  const BlobName name_;
  const BlobShape shape_;
  TablePage page_;
  uint64_t page_number_ = UINT64_MAX;
  // Of each chunk in the page, and behind the last.
  std::vector<uint64_t> offsets_;
};

// The blobs of a directory.
class Blobs {
 public:
  // Makes room for so many bytes in the ledger; false when there is none.
  using MakeRoom = std::function<bool(uint64_t bytes)>;
  // Whether the file system has so much to give.
  using MayGrow = std::function<bool(uint64_t bytes)>;

  Blobs(Directory& directory, const Context& context, DiskLedger& ledger, OpenFiles& files,
        MakeRoom make_room, MayGrow may_grow) noexcept
      : directory_(directory),
        context_(context),
        ledger_(ledger),
        files_(files),
        make_room_(std::move(make_room)),
        may_grow_(std::move(may_grow)) {}
  Blobs(const Blobs&) = delete;
  Blobs& operator=(const Blobs&) = delete;

  Result<std::unique_ptr<BlobWriter>> Begin(const BlobName& name);
  Result<std::unique_ptr<BlobReader>> Open(const BlobName& name, const BlobShape& shape);
  // The blob of a record that is not current any more. False when it could not be removed, and
  // takes room until the next open sweeps it.
  bool Remove(const BlobName& name, uint32_t units);
  // All whose numbers are lower, but those that are being written: after a clear.
  bool RemoveBelow(uint64_t sequence);
  // Has the system write out all whose numbers are from `from` to below `to`, and their names.
  // False when it would not, or when `late` said so before all were.
  bool Sync(uint64_t from, uint64_t to, const std::function<bool()>& late);
  // Whether any are being written.
  bool writing() {
    const std::lock_guard lock(mutex_);
    return !writing_.empty();
  }
  // Bytes of blobs that were written, tables too.
  uint64_t bytes_written() const noexcept { return bytes_written_; }

 private:
  friend class BlobWriter;

  Directory& directory_;
  const Context& context_;
  DiskLedger& ledger_;
  OpenFiles& files_;
  const MakeRoom make_room_;
  const MayGrow may_grow_;
  std::atomic<uint64_t> bytes_written_{0};
  std::mutex mutex_;
  // Guarded by mutex_: those that are being written.
  std::set<std::string> writing_;
};

}  // namespace drey::file
