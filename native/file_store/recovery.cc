#include "file_store/recovery.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "file_store/blobs.h"
#include "file_store/format/metadata.h"
#include "file_store/format/words.h"
#include "file_store/image_file.h"
#include "file_store/record_io.h"
#include "file_store/segment_reader.h"
#include "memory/system.h"

namespace drey::file {
namespace {

constexpr Bytes16 kNoBoot{};

IndexEntry EntryOf(const RecordHead& head, Position position, uint64_t identity) {
  Metadata metadata;
  const bool known = Parse(head.metadata, &metadata);
  const BlobShape shape{.size = head.size, .stored = head.stored, .chunk_power = head.chunk_power};
  const uint64_t units = head.blob() ? UnitsOf(shape.FileBytes()) : 0;
  return {.identity = identity,
          .sequence = head.sequence,
          .position = position,
          .length = static_cast<uint32_t>(head.PaddedLength()),
          // Whoever reads it says that it is wrong.
          .expires = known ? ExpiresOf(metadata) : kExpiresNever,
          .blob_units = static_cast<uint32_t>(std::min<uint64_t>(units, UINT32_MAX)),
          .policy = 0};
}

Status NotAFile(const std::string& name) {
  return Status::Failed(Status::Code::kWrongKind,
                        name + " is not a regular file, where one is expected: remove it");
}

}  // namespace

std::string Recovered::ToString() const {
  const auto say = [](uint64_t count, const char* what) {
    return count == 0 ? std::string() : ", " + std::to_string(count) + " " + what;
  };
  return std::to_string(entries) + " entries in " + std::to_string(milliseconds) + " ms (" +
         (clean ? "closed cleanly" : "not closed") + (image != 0 ? ", with" : ", without") +
         " an image, " + std::to_string(records) + " records of " + std::to_string(segments) +
         " segments" + say(torn_bytes, "torn bytes cut") + say(damages, "damages") +
         say(damaged_bytes, "damaged bytes") + say(images_damaged, "damaged images") +
         say(lost.size(), "entries lost") + say(orphans, "orphans removed") +
         (new_doubt ? ", all before is in doubt" : "") + ")";
}

Recovery::Recovery(Directory& directory, const Context& context, const HashKey& key,
                   const Bytes16& boot_id, DiskLedger& ledger, Segments& segments) noexcept
    : directory_(directory),
      context_(context),
      key_(key),
      boot_id_(boot_id),
      ledger_(ledger),
      segments_(segments) {}

Result<Recovered> Recovery::Run(std::unique_ptr<DiskIndex>& index,
                                uint64_t max_index_bytes) noexcept {
  const double began = directory_.env().EpochMilliseconds();
  Status done = List();
  if (done.ok()) done = DropOutdated();
  if (done.ok()) done = TakeImage(index, max_index_bytes);
  index_ = index.get();
  if (done.ok()) done = ReplayLog();
  if (!done.ok()) return done;
  result_.clean = followed_ ? ended_ : image_.clean || (image_.number == 0 && found_.empty());
  DoubtAfterPowerLoss();
  CountEntries();
  done = SettleBlobs();
  if (!done.ok()) return done;
  result_.entries = index_->count();
  const double took = directory_.env().EpochMilliseconds() - began;
  result_.milliseconds = took > 0 ? static_cast<uint64_t>(took) : 0;
  return std::move(result_);
}

Status Recovery::List() {
  std::vector<std::pair<std::string, uint64_t>> segments;
  std::vector<std::pair<std::string, uint64_t>> images;
  Status listed = directory_.log().List([&](const Listed& entry) {
    if (const auto number = ParseSegmentName(entry.name)) {
      segments.emplace_back(entry.name, *number);
    } else if (const auto image = ParseImageName(entry.name)) {
      images.emplace_back(entry.name, *image);
    }
    return true;
  });
  for (size_t at = 0; listed.ok() && at < segments.size(); at++) {
    listed = LookAt(segments[at].first, segments[at].second, false);
  }
  for (size_t at = 0; listed.ok() && at < images.size(); at++) {
    listed = LookAt(images[at].first, images[at].second, true);
  }
  std::sort(found_.begin(), found_.end(),
            [](const Found& a, const Found& b) { return a.number < b.number; });
  std::sort(images_.begin(), images_.end(), std::greater<>());
  return listed;
}

Status Recovery::LookAt(const std::string& name, uint64_t number, bool image) {
  Result<NodeInfo> info = directory_.log().StatAt(name);
  if (!info.ok()) return info.TakeStatus();
  if (info.value().kind != NodeKind::kFile) return NotAFile(name);
  // Names are nobody's word: one that no writer gives would leave no number to go on with.
  if (number > UINT32_MAX) {
    return Status::InvalidArgument(name + " has a number that drey gives to none: remove it");
  }
  if (image) {
    result_.next_image = std::max(result_.next_image, number + 1);
    images_.push_back(number);
    return {};
  }
  result_.next_segment = std::max(result_.next_segment, number + 1);
  Found found{.number = number,
              .size = info.value().size,
              .allocated = info.value().allocated,
              .header = {}};
  Result<File> file = OpenSegment(number);
  if (!file.ok()) return file.TakeStatus();
  uint8_t header[kSegmentHeaderBytes];
  const Result<uint64_t> read = file.value().ReadUpTo(0, header);
  if (!read.ok()) return CopyOf(read.status());
  found.whole = Parse(Slice(header).first(read.value()), context_, number, &found.header);
  found_.push_back(found);
  return {};
}

Status Recovery::DropOutdated() {
  uint64_t oldest = 0;
  for (const Found& each : found_) {
    if (each.whole) oldest = std::max(oldest, each.header.oldest);
  }
  std::vector<Found> kept;
  for (size_t at = 0; at < found_.size(); at++) {
    const Found& each = found_[at];
    // The last one, if its header is not whole, was being begun.
    const bool unbegun = at + 1 == found_.size() && !each.whole;
    if (each.number < oldest || unbegun) {
      Status unlinked = directory_.log().Unlink(SegmentName(each.number));
      if (!unlinked.ok()) return unlinked;
      continue;
    }
    ledger_.Charge(each.allocated);
    const Segments::Handle segment = segments_.Add(each.number);
    segment->charge = each.allocated;
    segment->end = each.size;
    segment->sealed = true;
    kept.push_back(each);
  }
  found_ = std::move(kept);
  return directory_.log().Sync();
}

Status Recovery::TakeImage(std::unique_ptr<DiskIndex>& index, uint64_t max_index_bytes) {
  for (const uint64_t number : images_) {
    const std::string name = ImageName(number);
    if (result_.image == 0) {
      Result<ImageHeader> image = ReadImage(
          directory_.log(), context_, number, [&](const ImageHeader&, const IndexEntry& entry) {
            // An entry whose segment is not there any more was evicted.
            if (segments_.Find(entry.position.segment) == nullptr) return;
            IndexEntry before;
            if (index->PutEntry(entry, &before) == DiskIndex::Put::kNoRoom) Lose(entry.identity);
          });
      if (image.ok()) {
        image_ = image.value();
        result_.image = number;
        const Result<NodeInfo> info = directory_.log().StatAt(name);
        result_.image_charge = info.ok() ? info.value().allocated : 0;
        ledger_.Charge(result_.image_charge);
        continue;
      }
      if (image.status().code() != Status::Code::kCorrupt) return image.TakeStatus();
      result_.images_damaged += 1;
      result_.lost.clear();
      index = DiskIndex::Create(PosixMemory(), max_index_bytes);
      if (index == nullptr) {
        return Status::Failed(Status::Code::kIo, "the system has no addresses for the index");
      }
    }
    if (Status unlinked = directory_.log().Unlink(name); !unlinked.ok()) return unlinked;
  }
  result_.next_sequence = std::max<uint64_t>(image_.next_sequence, 1);
  result_.doubt = image_.doubt;
  result_.next_segment = std::max(result_.next_segment, image_.position.segment + 1);
  return {};
}

Status Recovery::ReplayLog() {
  for (size_t at = 0; at < found_.size(); at++) {
    const Found& each = found_[at];
    if (each.number < image_.position.segment) continue;
    const bool last = at + 1 == found_.size();
    result_.segments += 1;
    if (!each.whole) {
      result_.damages += 1;
      result_.damaged_bytes += each.size;
      doubting_ = true;
      followed_ = true;
      result_.damaged_segments.push_back(each.number);
      continue;
    }
    if (each.number > image_.position.segment) followed_ = true;
    // What a damage behind took with it was before that.
    if (std::exchange(doubting_, false)) Doubt(each.header.next_sequence);
    SeeSequence(each.header.next_sequence == 0 ? 0 : each.header.next_sequence - 1);
    const uint64_t from =
        each.number == image_.position.segment ? image_.position.offset : kSegmentHeaderBytes;
    Result<File> opened = OpenSegment(each.number);
    if (!opened.ok()) return opened.TakeStatus();
    const File file = opened.Take();
    if (each.size < from) {
      // What the image has seen is not there any more.
      result_.damages += 1;
      doubting_ = true;
      followed_ = true;
      continue;
    }
    uint64_t end = each.size;
    if (last) {
      const Result<Tail> tail = FindTail(file, each, from);
      if (!tail.ok()) return CopyOf(tail.status());
      end = tail.value().end;
    }
    if (Status replayed = Replay(file, each, from, end); !replayed.ok()) return replayed;
    if (!last) continue;
    if (Status cut = CutTail(each, end); !cut.ok()) return cut;
  }
  if (found_.empty() || found_.back().number < image_.position.segment) {
    // The log ends before the image's position: nobody knows what there was.
    doubting_ = doubting_ || result_.image != 0;
    followed_ = followed_ || result_.image != 0;
  }
  if (std::exchange(doubting_, false)) Doubt(result_.next_sequence);
  return {};
}

Result<Recovery::Tail> Recovery::FindTail(const File& file, const Found& segment, uint64_t from) {
  Tail tail{.end = from};
  SegmentReader first(file, context_, segment.number, from, segment.size);
  uint64_t last = 0;
  bool more = true;
  // Where the log was synced, and what the greatest sequence is, the torn tail's too: it is not to
  // be given again.
  while (more) {
    switch (first.Next()) {
      case SegmentReader::Found::kRecord: {
        SeeSequence(first.head().sequence);
        last = first.offset();
        const uint64_t back = uint64_t{first.head().unsynced} * kAlignment;
        if (first.head().unsynced != kUnsyncedUnknown && back <= last) {
          tail.synced = std::max(tail.synced, last - back);
        }
        tail.ended = first.head().kind == RecordKind::kEnd;
        more = !tail.ended;
        break;
      }
      case SegmentReader::Found::kDamage:
        more = first.Skip();
        break;
      case SegmentReader::Found::kEnd:
        more = false;
        break;
      case SegmentReader::Found::kFailed:
        return first.TakeStatus();
    }
  }
  const bool synced = segment.header.durability == Durability::kPower;
  SegmentReader second(file, context_, segment.number, from, segment.size);
  while (true) {
    const SegmentReader::Found next = second.Next();
    if (next == SegmentReader::Found::kFailed) return second.TakeStatus();
    if (next == SegmentReader::Found::kEnd) break;
    if (next == SegmentReader::Found::kDamage) {
      // Of what was not synced, a power loss keeps later pages and drops earlier ones.
      if (!second.Skip() || (synced && tail.synced < second.record_end())) break;
      continue;
    }
    const bool unsure =
        (second.offset() == last && !tail.ended) || (synced && second.offset() >= tail.synced);
    if (unsure) {
      const Result<Slice> record = second.Record();
      if (!record.ok()) return CopyOf(record.status());
      if (record.value().empty() || !DataIsWhole(second.head(), record.value())) break;
    }
    tail.end = second.record_end();
    if (second.head().kind == RecordKind::kEnd) break;
  }
  return tail;
}

Status Recovery::CutTail(const Found& segment, uint64_t end) {
  if (end >= segment.size) return {};
  // What was allocated ahead is zeros; what was torn may look like records one day.
  Result<File> opened =
      directory_.log().OpenFile(SegmentName(segment.number), Env::Access::kReadWrite);
  if (!opened.ok()) return opened.TakeStatus();
  File file = opened.Take();
  SegmentReader reader(file, context_, segment.number, end, segment.size);
  const bool torn = reader.Next() != SegmentReader::Found::kEnd && !ended_;
  if (torn) result_.torn_bytes += segment.size - end;
  Status cut = file.Truncate(end);
  if (cut.ok() && segment.header.durability == Durability::kPower) cut = file.Sync();
  const Result<NodeInfo> info = file.Stat();
  const Segments::Handle handle = segments_.Find(segment.number);
  handle->end = end;
  if (cut.ok() && info.ok() && info.value().allocated < handle->charge) {
    ledger_.Give(handle->charge - info.value().allocated);
    handle->charge = info.value().allocated;
  }
  return cut;
}

Status Recovery::Replay(const File& file, const Found& segment, uint64_t from, uint64_t end) {
  SegmentReader reader(file, context_, segment.number, from, end);
  members_.clear();
  ended_ = false;
  while (true) {
    switch (reader.Next()) {
      case SegmentReader::Found::kRecord:
        followed_ = true;
        result_.records += 1;
        Take(reader.head(), reader.position());
        if (reader.head().kind != RecordKind::kEnd) continue;
        ended_ = true;
        return {};
      case SegmentReader::Found::kDamage:
        followed_ = true;
        result_.damages += 1;
        doubting_ = true;
        members_.clear();
        if (const uint64_t damage = reader.offset(); reader.Skip()) {
          result_.damaged_bytes += reader.record_end() - damage;
          continue;
        }
        result_.damaged_bytes += end - reader.offset();
        return {};
      case SegmentReader::Found::kEnd:
        return {};
      case SegmentReader::Found::kFailed:
        return reader.TakeStatus();
    }
  }
}

void Recovery::Take(const RecordHead& head, Position position) {
  SeeSequence(head.sequence);
  if (head.kind == RecordKind::kPut && head.blob()) SeeSequence(head.blob_sequence);
  // Copies have old sequences: they say nothing about when the damage was.
  if (doubting_ && (head.flags & kFlagCopied) == 0) {
    doubting_ = false;
    Doubt(head.sequence);
  }
  if (head.kind == RecordKind::kBatch) return DoBatch(head);
  if (!head.member()) members_.clear();
  Member member{
      .kind = head.kind, .checksum = head.checksum, .sequence = head.sequence, .entry = {}};
  if (head.kind == RecordKind::kPut) {
    member.entry = EntryOf(head, position, Hash(key_, head.key).low);
  } else if (head.kind == RecordKind::kDelete) {
    member.entry.identity = Load64(head.hash.data());
  }
  // Copied forward, it is an ordinary record.
  if (head.member() && (head.flags & kFlagCopied) == 0) {
    members_.push_back(member);
  } else {
    Do(member);
  }
}

void Recovery::DoBatch(const RecordHead& end) {
  uint32_t checksum = 0;
  for (const Member& member : members_) {
    uint8_t bytes[4];
    Store32(bytes, member.checksum);
    checksum = Checksum(bytes, checksum);
  }
  if (members_.size() == end.batch_count && checksum == end.batch_checksum) {
    for (const Member& member : members_) Do(member);
  }
  members_.clear();
}

void Recovery::Do(const Member& member) {
  IndexEntry before;
  switch (member.kind) {
    case RecordKind::kPut:
      if (index_->PutEntry(member.entry, &before) == DiskIndex::Put::kNoRoom) {
        Lose(member.entry.identity);
      }
      return;
    case RecordKind::kDelete:
      static_cast<void>(index_->RemoveBelow(member.entry.identity, member.sequence, &before));
      return;
    case RecordKind::kClear:
      index_->Clear(member.sequence);
      return;
    case RecordKind::kDoubt:
      result_.doubt = std::max(result_.doubt, member.sequence);
      return;
    case RecordKind::kBatch:
    case RecordKind::kEnd:
      return;
  }
}

// Forgotten by the index's bound: what it replaced must not come back later.
void Recovery::Lose(uint64_t identity) {
  result_.lost.push_back({.identity = identity, .hash = {}});
  Store64(result_.lost.back().hash.data(), identity);
}

void Recovery::Doubt(uint64_t sequence) noexcept {
  if (sequence <= result_.doubt) return;
  result_.doubt = sequence;
  result_.new_doubt = true;
}

void Recovery::SeeSequence(uint64_t sequence) noexcept {
  result_.next_sequence = std::max(result_.next_sequence, sequence + 1);
}

void Recovery::DoubtAfterPowerLoss() {
  result_.synced = image_.clean && image_.synced && !followed_;
  if (result_.synced) return;
  for (const Found& each : found_) {
    if (!each.whole || each.number < image_.position.segment) continue;
    const bool lost = each.header.boot_id != boot_id_ || each.header.boot_id == kNoBoot;
    if (lost && each.header.durability != Durability::kPower) Doubt(result_.next_sequence);
  }
}

Status Recovery::SettleBlobs() {
  if (Status found = directory_.FindPartitions(); !found.ok()) return found;
  if (!result_.clean) return SweepBlobs();
  // Nobody but the owner before could have changed them.
  ledger_.Charge(blob_charge_);
  return {};
}

// What of each segment is alive, and what all blobs take: summed up first, because there are many
// entries and few segments.
void Recovery::CountEntries() {
  std::map<uint64_t, uint64_t> live;
  for (size_t shard = 0; shard < DiskIndex::kShards; shard++) {
    for (const IndexEntry& entry : index_->Collect(shard)) {
      live[entry.position.segment] += entry.length;
      blob_charge_ += BlobCharge(entry.blob_units);
    }
  }
  for (const auto& [segment, bytes] : live) segments_.AddLive(segment, bytes);
}

Status Recovery::SweepBlobs() {
  struct BlobFile {
    uint64_t size = 0;
    uint64_t allocated = 0;
    bool used = false;
  };
  std::map<std::string, BlobFile> files;
  for (const uint32_t partition : directory_.Partitions()) {
    const Folder& folder = *directory_.Partition(partition).value();
    std::vector<std::string> names;
    Status listed = folder.List([&](const Listed& entry) {
      if (ParseBlobName(entry.name)) names.emplace_back(entry.name);
      return true;
    });
    if (!listed.ok()) return listed;
    for (const std::string& name : names) {
      const Result<NodeInfo> info = folder.StatAt(name);
      if (!info.ok()) return CopyOf(info.status());
      if (info.value().kind != NodeKind::kFile) return NotAFile(name);
      const auto blob = ParseBlobName(name);
      SeeSequence(blob->sequence);
      // In the partition of another, it is nobody's.
      if (blob->Partition(directory_.header().partitions) == partition) {
        files[name] = {.size = info.value().size, .allocated = info.value().allocated};
      } else if (folder.Unlink(name).ok()) {
        result_.orphans += 1;
      }
    }
  }
  uint64_t open_number = 0;
  File file;
  std::vector<uint8_t> buffer;
  for (size_t shard = 0; shard < DiskIndex::kShards; shard++) {
    for (const IndexEntry& entry : index_->Collect(shard)) {
      if (!entry.blob()) continue;
      if (open_number != entry.position.segment || !file.is_open()) {
        Result<File> opened = OpenSegment(entry.position.segment);
        if (!opened.ok()) return opened.TakeStatus();
        file = opened.Take();
        open_number = entry.position.segment;
      }
      RecordHead head;
      Status read = ReadHead(file, context_, entry.position, entry.length, buffer, &head);
      if (!read.ok() && read.code() != Status::Code::kCorrupt) return read;
      Recovered::Lost lost{.identity = entry.identity};
      Store64(lost.hash.data(), entry.identity);
      bool whole = false;
      if (read.ok() && head.kind == RecordKind::kPut && head.blob()) {
        const Hash128 hash = Hash(key_, head.key);
        Store64(lost.hash.data(), hash.low);
        Store64(lost.hash.data() + 8, hash.high);
        const auto there =
            files.find(BlobName{.hash = lost.hash, .sequence = head.blob_sequence}.ToString());
        const BlobShape shape{
            .size = head.size, .stored = head.stored, .chunk_power = head.chunk_power};
        if (there != files.end() && there->second.size == shape.FileBytes()) {
          there->second.used = true;
          whole = true;
          ledger_.Charge(BlobCharge(entry.blob_units));
        }
      }
      if (whole) continue;
      IndexEntry removed;
      if (index_->RemoveAt(entry.identity, entry.position, &removed)) {
        segments_.TakeLive(removed.position.segment, removed.length);
        result_.lost.push_back(lost);
      }
    }
  }
  for (const auto& [name, blob] : files) {
    if (blob.used) continue;
    const uint32_t partition = ParseBlobName(name)->Partition(directory_.header().partitions);
    if (Status gone = directory_.Partition(partition).value()->Unlink(name); !gone.ok()) {
      return gone;
    }
    result_.orphans += 1;
  }
  return {};
}

Result<File> Recovery::OpenSegment(uint64_t number) {
  return directory_.log().OpenFile(SegmentName(number), Env::Access::kRead);
}

}  // namespace drey::file
