#include "file_store/image_file.h"

#include <algorithm>
#include <string>
#include <utility>

#include "file_store/format/names.h"

namespace drey::file {
namespace {

Status Damaged(const std::string& name, const char* what) {
  return Status::Failed(Status::Code::kCorrupt, name + " is damaged: " + what);
}

// Gathers entries into pages and writes them one by one.
class PageWriter {
 public:
  PageWriter(File& file, const Context& context, uint64_t image)
      : file_(file), context_(context), image_(image) {}

  Status Add(const ImageEntry& entry) {
    entries_.push_back(entry);
    count_ += 1;
    return entries_.size() == ImagePage::kMostEntries ? Flush() : Status();
  }
  Status Flush() {
    if (entries_.empty()) return {};
    EncodePage(entries_, context_, image_, pages_++, page_);
    Status written = file_.WriteFull(end_, Slice(page_));
    end_ += page_.size();
    entries_.clear();
    return written;
  }
  uint64_t count() const noexcept { return count_; }
  uint64_t pages() const noexcept { return pages_; }
  uint64_t end() const noexcept { return end_ + ImagePage::kBytes; }

 private:
  File& file_;
  const Context& context_;
  const uint64_t image_;
  std::vector<ImageEntry> entries_;
  std::vector<uint8_t> page_;
  uint64_t count_ = 0;
  uint64_t pages_ = 0;
  uint64_t end_ = ImageHeader::kBytes;
};

Status Fill(File& file, const Context& context, const DiskIndex& index, ImageHeader& header,
            uint64_t most) {
  PageWriter writer(file, context, header.number);
  for (size_t shard = 0; shard < DiskIndex::kShards; shard++) {
    for (const IndexEntry& entry : index.Collect(shard)) {
      // Its segment has gone meanwhile, and it with it.
      if (entry.position.segment < header.oldest) continue;
      if (writer.end() > most) {
        return Status::Failed(Status::Code::kNoSpace, "the image has outgrown what it may take");
      }
      Status added =
          writer.Add({.identity = entry.identity,
                      .sequence = entry.sequence,
                      .segment = static_cast<uint32_t>(entry.position.segment - header.oldest),
                      .offset_units = static_cast<uint32_t>(entry.position.offset / kAlignment),
                      .length = entry.length,
                      .expires = entry.expires,
                      .blob_units = entry.blob_units,
                      .policy = entry.policy});
      if (!added.ok()) return added;
    }
  }
  Status flushed = writer.Flush();
  if (!flushed.ok()) return flushed;
  header.entries = writer.count();
  header.pages = writer.pages();
  std::vector<uint8_t> bytes(ImageHeader::kBytes);
  Encode(header, context, bytes);
  // Last: without it, there is no image.
  Status written = file.WriteFull(0, Slice(bytes));
  return written.ok() ? file.Sync() : std::move(written);
}

}  // namespace

Status WriteImage(const Folder& folder, const Context& context, const DiskIndex& index,
                  ImageHeader header, uint64_t most) {
  const std::string name = ImageName(header.number);
  Result<File> made = folder.OpenFile(name, Env::Access::kCreate);
  if (!made.ok()) return made.TakeStatus();
  File file = made.Take();
  Status filled = Fill(file, context, index, header, most);
  if (filled.ok()) filled = file.Close();
  if (filled.ok()) filled = folder.Sync();
  // What is left of it is not whole, so it does no harm; it takes room.
  if (!filled.ok()) static_cast<void>(folder.Unlink(name).ok());
  return filled;
}

Result<ImageHeader> ReadImage(
    const Folder& folder, const Context& context, uint64_t number,
    const std::function<void(const ImageHeader&, const IndexEntry&)>& visit) {
  const std::string name = ImageName(number);
  Result<File> opened = folder.OpenFile(name, Env::Access::kRead);
  if (!opened.ok()) return opened.TakeStatus();
  const File file = opened.Take();
  const Result<NodeInfo> info = file.Stat();
  if (!info.ok()) return Damaged(name, "its length cannot be told");
  const uint64_t size = info.value().size;
  std::vector<uint8_t> bytes(ImagePage::kBytes);
  if (size < ImageHeader::kBytes ||
      !file.ReadFull(0, std::span(bytes).first(ImageHeader::kBytes)).ok()) {
    return Damaged(name, "it ends within its header");
  }
  ImageHeader header;
  if (!Parse(Slice(bytes).first(ImageHeader::kBytes), context, number, size, &header)) {
    return Damaged(name, "its header");
  }
  std::vector<ImageEntry> page;
  uint64_t given = 0;
  uint64_t last = 0;
  uint64_t offset = ImageHeader::kBytes;
  for (uint64_t at = 0; at < header.pages; at++) {
    const uint64_t left = header.entries - given;
    const uint64_t count = std::min(left, ImagePage::kMostEntries);
    const auto into = std::span(bytes).first(ImagePage::kHeadBytes + count * ImageEntry::kBytes);
    if (!file.ReadFull(offset, into).ok() || !ParsePage(into, context, number, at, &page)) {
      return Damaged(name, "one of its pages");
    }
    offset += into.size();
    for (const ImageEntry& entry : page) {
      if (given > 0 && last >= entry.identity) return Damaged(name, "its order");
      const uint64_t segment = header.oldest + entry.segment;
      if (segment > UINT32_MAX) return Damaged(name, "the number of a segment");
      given += 1;
      last = entry.identity;
      visit(header, {.identity = entry.identity,
                     .sequence = entry.sequence,
                     .position = {segment, uint64_t{entry.offset_units} * kAlignment},
                     .length = entry.length,
                     .expires = entry.expires,
                     .blob_units = entry.blob_units,
                     .policy = entry.policy});
    }
  }
  return header;
}

}  // namespace drey::file
