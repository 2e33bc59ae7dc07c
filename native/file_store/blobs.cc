#include "file_store/blobs.h"

#include <algorithm>
#include <utility>

#include "file_store/record_io.h"

namespace drey::file {
namespace {

// Chunks are written together up to this.
constexpr uint64_t kGather = 256 * 1024;
// What is taken of the ledger ahead of the file's growth.
constexpr uint64_t kAhead = 256 * 1024;
// Maps of extents, which some file systems count as the file's.
constexpr uint64_t kSlack = 4096;

Status NoRoom(uint64_t bytes) {
  return Status::Failed(Status::Code::kNoSpace,
                        "no room for " + std::to_string(bytes) +
                            " bytes of a value: maxBytes, or minFree, is reached");
}

}  // namespace

BlobWriter::~BlobWriter() {
  if (!kept_ && file_.is_open()) {
    static_cast<void>(file_.Close().ok());
    // If it stays, it takes its room until the next open sweeps it.
    if (!folder_->Unlink(name_.ToString()).ok()) charge_ = 0;
    blobs_.ledger_.Give(charge_);
  }
  const std::lock_guard lock(blobs_.mutex_);
  blobs_.writing_.erase(name_.ToString());
}

Status BlobWriter::Reserve(uint64_t end) {
  const uint64_t wanted = InUnits(end) + kSlack + kBlobName;
  if (wanted <= charge_) return {};
  uint64_t more = wanted - charge_ + kAhead;
  DiskLedger& ledger = blobs_.ledger_;
  if (!ledger.Take(more, DiskLedger::Use::kOther)) {
    more = wanted - charge_;
    if (!ledger.Take(more, DiskLedger::Use::kOther) &&
        !(blobs_.make_room_(more) && ledger.Take(more, DiskLedger::Use::kOther))) {
      return NoRoom(more);
    }
  }
  if (!blobs_.may_grow_(more)) {
    ledger.Give(more);
    return NoRoom(more);
  }
  charge_ += more;
  return {};
}

Status BlobWriter::WriteGathered(std::span<const Slice> more) {
  std::vector<Slice> slices;
  slices.reserve(more.size() + 1);
  if (!gathered_.empty()) slices.emplace_back(gathered_);
  slices.insert(slices.end(), more.begin(), more.end());
  if (slices.empty()) return {};
  uint64_t bytes = 0;
  for (const Slice& slice : slices) bytes += slice.size();
  Status written = Reserve(written_ + bytes);
  if (written.ok()) written = file_.WriteFull(written_, slices);
  written_ += bytes;
  blobs_.bytes_written_ += bytes;
  gathered_.clear();
  return written;
}

Status BlobWriter::Append(std::span<const ChunkEntry> chunks, std::span<const Slice> stored) {
  uint64_t bytes = 0;
  for (const Slice& slice : stored) bytes += slice.size();
  chunks_.insert(chunks_.end(), chunks.begin(), chunks.end());
  stored_ += bytes;
  if (gathered_.size() + bytes >= kGather) return WriteGathered(stored);
  for (const Slice& slice : stored) gathered_.insert(gathered_.end(), slice.begin(), slice.end());
  return {};
}

Status BlobWriter::Finish(bool sync) {
  uint64_t offset = 0;
  for (uint64_t page = 0; page < TablePages(chunks_.size()); page++) {
    const auto chunks = std::span<const ChunkEntry>(chunks_).subspan(
        page * TablePage::kMostChunks, ChunksInPage(chunks_.size(), page));
    AppendPage(gathered_, blobs_.context_, name_, page, offset, chunks);
    for (const ChunkEntry& chunk : chunks) offset += chunk.stored;
  }
  if (Status written = WriteGathered(); !written.ok()) return written;
  if (sync) {
    if (Status synced = file_.Sync(); !synced.ok()) return synced;
    if (Status synced = folder_->Sync(); !synced.ok()) return synced;
  }
  Result<NodeInfo> info = file_.Stat();
  if (!info.ok()) return info.TakeStatus();
  const uint64_t units = UnitsOf(std::max(info.value().size, info.value().allocated));
  units_ = static_cast<uint32_t>(std::min<uint64_t>(units, UINT32_MAX));
  const uint64_t charge = BlobCharge(units_);
  if (charge > charge_) blobs_.ledger_.Charge(charge - charge_);
  if (charge < charge_) blobs_.ledger_.Give(charge_ - charge);
  charge_ = charge;
  return {};
}

void BlobWriter::Keep() {
  kept_ = true;
  static_cast<void>(file_.Close().ok());
}

Status BlobReader::LoadPage(uint64_t page) {
  if (page == page_number_) return {};
  page_number_ = UINT64_MAX;
  const uint64_t count = ChunksInPage(shape_.Chunks(), page);
  std::vector<uint8_t> bytes(TablePage::kHeadBytes + count * kChunkEntryBytes);
  Status read = file_->file.ReadFull(shape_.stored + page * TablePage::kBytes, bytes);
  if (!read.ok()) return read;
  if (!ParsePage(bytes, context_, name_, shape_, page, &page_)) {
    return Status::Failed(
        Status::Code::kCorrupt,
        file_->file.name() + ": page " + std::to_string(page) + " of its table is damaged");
  }
  offsets_.clear();
  uint64_t offset = page_.first_offset;
  for (const ChunkEntry& chunk : page_.chunks) {
    offsets_.push_back(offset);
    offset += chunk.stored;
  }
  page_number_ = page;
  return {};
}

Status BlobReader::ReadChunk(uint64_t at, std::span<uint8_t> into, ChunkEntry* chunk) {
  if (at >= shape_.Chunks()) {
    return Status::InvalidArgument("chunk " + std::to_string(at) + " of " +
                                   std::to_string(shape_.Chunks()));
  }
  if (Status loaded = LoadPage(at / TablePage::kMostChunks); !loaded.ok()) return loaded;
  const uint64_t in_page = at % TablePage::kMostChunks;
  *chunk = page_.chunks[in_page];
  if (chunk->stored > into.size()) {
    return Status::InvalidArgument("a chunk of " + std::to_string(chunk->stored) +
                                   " bytes does not fit in " + std::to_string(into.size()));
  }
  const auto bytes = into.first(chunk->stored);
  if (Status read = file_->file.ReadFull(offsets_[in_page], bytes); !read.ok()) return read;
  if (Checksum(bytes) == chunk->checksum) return {};
  return Status::Failed(Status::Code::kCorrupt,
                        file_->file.name() + ": chunk " + std::to_string(at) + " is damaged");
}

Result<std::unique_ptr<BlobWriter>> Blobs::Begin(const BlobName& name) {
  std::unique_ptr<BlobWriter> writer(new BlobWriter(*this, name));
  {
    const std::lock_guard lock(mutex_);
    writing_.insert(name.ToString());
  }
  Result<const Folder*> folder =
      directory_.Partition(name.Partition(directory_.header().partitions));
  if (!folder.ok()) return folder.TakeStatus();
  writer->folder_ = folder.value();
  if (Status reserved = writer->Reserve(0); !reserved.ok()) return reserved;
  Result<File> made = writer->folder_->OpenFile(name.ToString(), Env::Access::kCreate);
  if (!made.ok()) {
    ledger_.Give(writer->charge_);
    return made.TakeStatus();
  }
  writer->file_ = made.Take();
  return writer;
}

Result<std::unique_ptr<BlobReader>> Blobs::Open(const BlobName& name, const BlobShape& shape) {
  Result<const Folder*> folder =
      directory_.Partition(name.Partition(directory_.header().partitions));
  if (!folder.ok()) return folder.TakeStatus();
  Result<OpenFiles::Handle> file =
      files_.Open(FileKey::OfBlob(name), *folder.value(), name.ToString());
  if (!file.ok()) return file.TakeStatus();
  const Result<NodeInfo> info = file.value()->file.Stat();
  if (!info.ok()) return CopyOf(info.status());
  if (info.value().size != shape.FileBytes()) {
    return Status::Failed(Status::Code::kCorrupt,
                          file.value()->file.name() + " has " + std::to_string(info.value().size) +
                              " bytes; its record says " + std::to_string(shape.FileBytes()));
  }
  return std::make_unique<BlobReader>(file.Take(), context_, name, shape);
}

bool Blobs::Remove(const BlobName& name, uint32_t units) {
  const Result<const Folder*> folder =
      directory_.Partition(name.Partition(directory_.header().partitions));
  if (!folder.ok()) return false;
  return files_.Unlink(FileKey::OfBlob(name), *folder.value(), name.ToString(), BlobCharge(units))
      .ok();
}

bool Blobs::Sync(uint64_t from, uint64_t to, const std::function<bool()>& late) {
  if (from >= to) return true;
  for (const uint32_t partition : directory_.Partitions()) {
    const Result<const Folder*> found = directory_.Partition(partition);
    if (!found.ok()) return false;
    const Folder& folder = *found.value();
    std::vector<std::string> names;
    const Status listed = folder.List([&](const Listed& entry) {
      const auto name = ParseBlobName(entry.name);
      if (name && name->sequence >= from && name->sequence < to) names.emplace_back(entry.name);
      return true;
    });
    if (!listed.ok()) return false;
    for (const std::string& name : names) {
      if (late()) return false;
      Result<File> opened = folder.OpenFile(name, Env::Access::kReadWrite);
      // Given up meanwhile.
      if (opened.status().code() == Status::Code::kNotFound) continue;
      if (!opened.ok()) return false;
      File file = opened.Take();
      if (!file.SyncData().ok()) return false;
    }
    if (!names.empty() && !folder.Sync().ok()) return false;
  }
  // Of partitions that were made.
  return directory_.root().Sync().ok();
}

bool Blobs::RemoveBelow(uint64_t sequence) {
  bool all = true;
  for (const uint32_t partition : directory_.Partitions()) {
    const Folder& folder = *directory_.Partition(partition).value();
    std::vector<BlobName> names;
    all = folder
              .List([&](const Listed& entry) {
                const auto name = ParseBlobName(entry.name);
                if (name && name->sequence < sequence) names.push_back(*name);
                return true;
              })
              .ok() &&
          all;
    for (const BlobName& name : names) {
      {
        const std::lock_guard lock(mutex_);
        if (writing_.contains(name.ToString())) continue;
      }
      const Result<NodeInfo> info = folder.StatAt(name.ToString());
      if (!info.ok()) {
        all = all && info.status().code() == Status::Code::kNotFound;
        continue;
      }
      const uint64_t units = UnitsOf(std::max(info.value().size, info.value().allocated));
      all = Remove(name, static_cast<uint32_t>(std::min<uint64_t>(units, UINT32_MAX))) && all;
    }
  }
  return all;
}

}  // namespace drey::file
