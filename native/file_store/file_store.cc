#include "file_store/file_store.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "file_store/format/words.h"
#include "file_store/image_file.h"
#include "file_store/record_io.h"
#include "memory/system.h"

namespace drey::file {
namespace {

constexpr uint64_t kMiB = 1024 * 1024;

uint64_t DefaultSegment(uint64_t max_bytes) {
  return std::clamp(max_bytes / 64, kLeastSegment, 64 * kMiB) / kUnit * kUnit;
}

// The folders, and that they grow.
uint64_t FolderBytes(uint32_t partitions) { return (uint64_t{partitions} + 4) * 2 * kUnit; }

// Two segments, and drafts on their way.
uint64_t KeptForLog(const FileStoreOptions& options) {
  return 2 * (options.segment_bytes + LogWriter::kFileSlack);
}

Status Wrong(const char* option, uint64_t given, const std::string& allowed) {
  return Status::InvalidArgument("fileStore: " + std::string(option) + " is " +
                                 std::to_string(given) + "; it must be " + allowed);
}

}  // namespace

Status FileStore::Check(FileStoreOptions& options) {
  if (options.segment_bytes == 0) options.segment_bytes = DefaultSegment(options.max_bytes);
  // What is sensible says who reads the user's options; here, what would not work.
  constexpr uint64_t kLeast = 64 * 1024;
  if (options.segment_bytes < kLeast || options.segment_bytes > kMostSegment ||
      options.segment_bytes % kAlignment != 0) {
    return Wrong("segmentBytes", options.segment_bytes, "64 KiB to 4 GiB - 8, a multiple of 8");
  }
  if (options.max_bytes / 8 < options.segment_bytes) {
    return Wrong("maxBytes", options.max_bytes,
                 "at least 8 segments of " + std::to_string(options.segment_bytes) + " bytes");
  }
  if (options.max_index_bytes == 0) {
    options.max_index_bytes = std::clamp(options.max_bytes / 64, 16 * kMiB, 1024 * kMiB);
  }
  if (options.max_index_bytes < 4 * kMiB) {
    return Wrong("maxIndexBytes", options.max_index_bytes, "at least 4 MiB");
  }
  if (options.max_item_bytes == 0) options.max_item_bytes = options.max_bytes / 4;
  options.max_item_bytes = std::min(options.max_item_bytes, kMostValue);
  if (options.image_every == 0) options.image_every = std::max(options.max_bytes / 8, 16 * kMiB);
  // A record has to fit in a segment, with others.
  options.pack_limit = std::min({options.pack_limit, kMostPacked, options.segment_bytes / 4});
  if (options.chunk_power < kLeastChunkPower || options.chunk_power > kMostChunkPower) {
    return Wrong("chunkBytes", uint64_t{1} << options.chunk_power, "4 KiB to 1 MiB");
  }
  if (!std::has_single_bit(options.partitions) || options.partitions > kMostPartitions) {
    return Wrong("partitions", options.partitions, "a power of two, 1 to 256");
  }
  if (options.env == nullptr || options.workers == nullptr) {
    return Status::InvalidArgument("fileStore: wants an Env and Workers");
  }
  return {};
}

Result<std::shared_ptr<FileStore>> FileStore::Open(const FileStoreOptions& given) noexcept {
  Result<std::shared_ptr<FileStore>> opened = TryOpen(given);
  // A link or a folder where something else should be: the place is none for a store.
  if (opened.status().code() != Status::Code::kWrongKind) return opened;
  return Status::InvalidArgument(opened.status().message());
}

Result<std::shared_ptr<FileStore>> FileStore::TryOpen(const FileStoreOptions& given) {
  FileStoreOptions options = given;
  if (Status checked = Check(options); !checked.ok()) return checked;
  Env& env = *options.env;
  Result<std::unique_ptr<Directory>> directory =
      Directory::Open(env, options.dir, options.partitions,
                      static_cast<uint64_t>(std::max(env.EpochMilliseconds(), 0.0)));
  if (!directory.ok()) return directory.TakeStatus();
  std::unique_ptr<Directory> opened = directory.Take();
  Result<std::unique_ptr<DirectoryLock>> lock = DirectoryLock::Take(opened->root(), options.title);
  if (!lock.ok()) return lock.TakeStatus();
  if (Status log = opened->OpenLog(); !log.ok()) return log;
  std::shared_ptr<FileStore> store(new FileStore(options, std::move(opened), lock.Take()));
  if (Status recovered = store->Recover(); !recovered.ok()) {
    store->closing_ = true;
    return recovered;
  }
  return store;
}

FileStore::FileStore(const FileStoreOptions& options, std::unique_ptr<Directory> directory,
                     std::unique_ptr<DirectoryLock> lock) noexcept
    : options_(options),
      env_(*options.env),
      workers_(*options.workers),
      directory_(std::move(directory)),
      lock_(std::move(lock)),
      context_(directory_->header().store_id),
      key_(HashKey::From(directory_->header().secret)),
      turns_(options.policy),
      ledger_(options.max_bytes, KeptForLog(options), options.max_bytes / 64),
      files_(ledger_, options.open_files),
      blobs_(
          *directory_, context_, ledger_, files_,
          [this](uint64_t bytes) { return MakeBlobRoom(bytes); },
          [this](uint64_t bytes) { return MayGrow(bytes); }),
      pace_(*options.clock, options.reclaim_rate),
      durability_(options.durability),
      max_item_bytes_(options.max_item_bytes),
      min_free_bytes_(options.min_free_bytes),
      min_free_share_(options.min_free_share),
      image_every_(options.image_every),
      open_files_(options.open_files),
      reclaim_rate_(options.reclaim_rate),
      told_time_(std::numeric_limits<double>::quiet_NaN()) {}

FileStore::~FileStore() = default;

Status FileStore::Recover() noexcept {
  BootId boot;
  // Where there is none, all that was not synced is in doubt after every end.
  if (env_.Boot(&boot).ok()) boot_id_ = boot.bytes;
  ledger_.Charge(FolderBytes(directory_->header().partitions));
  index_ = DiskIndex::Create(PosixMemory(), options_.max_index_bytes);
  if (index_ == nullptr) {
    return Status::Failed(Status::Code::kIo, "the system has no addresses for the index");
  }
  Recovery recovery(*directory_, context_, key_, boot_id_, ledger_, segments_);
  Result<Recovered> recovered = recovery.Run(index_, options_.max_index_bytes);
  if (!recovered.ok()) return recovered.TakeStatus();
  recovered_ = recovered.Take();
  image_ = recovered_.image;
  image_charge_ = recovered_.image_charge;
  next_image_ = recovered_.next_image;
  writer_ = std::make_unique<LogWriter>(directory_->log(), context_,
                                        LogSettings{.segment_bytes = options_.segment_bytes,
                                                    .durability = options_.durability,
                                                    .boot_id = boot_id_},
                                        ledger_, *index_, segments_, *this);
  writer_->Begin(recovered_.next_segment, recovered_.next_sequence, recovered_.doubt);
  // What power is to keep from here on stands on what is there already.
  if (power()) {
    if (Status synced = SyncSegments(0); !synced.ok()) return synced;
  }
  if (Status tags = OpenTags(); !tags.ok()) return tags;
  // Smaller bounds than the last owner's are kept from the first moment on.
  while (ledger_.AboveHighMark() > 0) {
    const Segments::Handle oldest = segments_.Oldest();
    if (oldest == nullptr || !EvictSegment(oldest)) break;
  }
  if (!recovered_.new_doubt && recovered_.lost.empty()) return {};
  // The doubt has to be in the log before anybody is answered; so have the deletes.
  auto request = std::make_unique<LogRequest>();
  request->roll = true;
  LogOutcome outcome;
  if (Status rolled = Await(std::move(request), &outcome); !rolled.ok()) return rolled;
  for (const Recovered::Lost& lost : recovered_.lost)
    EnqueueForget(lost.identity, lost.hash, nullptr);
  if (Status written = Await(std::make_unique<LogRequest>(), &outcome); !written.ok()) {
    return written;
  }
  for (const uint64_t number : recovered_.damaged_segments) {
    if (const Segments::Handle segment = segments_.Find(number); segment != nullptr) {
      if (!EvictSegment(segment)) {
        return Status::Failed(Status::Code::kIo,
                              "a damaged segment of " + options_.dir + " cannot be removed");
      }
    }
  }
  // So that the next open does not find the same again. What has no room for it goes without.
  if (recovered_.new_doubt) static_cast<void>(Checkpoint().ok());
  return {};
}

Status FileStore::OpenTags() {
  const bool power = this->power();
  tags_ = std::make_unique<TagLog>(
      directory_->log(), context_,
      TagLog::Settings{.max_bytes = options_.max_bytes, .synced = power, .boot_id = boot_id_},
      ledger_, [this](uint64_t bytes) {
        if (!MayGrow(bytes)) return false;
        const auto take = [&] { return ledger_.Take(bytes, DiskLedger::Use::kOther); };
        return take() || (MakeBlobRoom(bytes) && take());
      });
  Status opened = tags_->Open(recovered_.clean);
  recovered_.damaged_bytes += tags_->damaged_bytes();
  return opened;
}

void FileStore::RunOn(Executor::LaneName lane, std::function<void()> work) {
  // An executor refuses only once it has been stopped, for who makes one for a store gives its
  // lanes room for all that can come (FileRegistry): then it is done here, and nothing is lost.
  auto shared = std::make_shared<std::function<void()>>(std::move(work));
  if (!workers_.Run(lane, [shared] { (*shared)(); })) (*shared)();
}

bool FileStore::Run(Executor::LaneName lane, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return false;
    under_way_ += 1;
  }
  RunOn(lane, [self = shared_from_this(), work = std::move(work)]() mutable {
    work();
    // What it holds goes before the store may close.
    work = nullptr;
    self->Ended();
  });
  return true;
}

void FileStore::ScheduleDrain() {
  RunOn(Executor::kWrite, [self = shared_from_this()] { self->writer_->Drain(); });
}

void FileStore::Began() noexcept {
  const std::lock_guard lock(mutex_);
  under_way_ += 1;
}

void FileStore::Ended() noexcept {
  const std::lock_guard lock(mutex_);
  under_way_ -= 1;
  if (under_way_ == 0) quiet_.notify_all();
}

bool FileStore::Refused(const WriteDone& done) {
  {
    const std::lock_guard lock(mutex_);
    if (!closing_) {
      under_way_ += 1;
      return false;
    }
  }
  done({.kind = WriteOutcome::Kind::kFailed,
        .status = Status::Failed(Status::Code::kClosed, "the file store is closed")});
  return true;
}

Status FileStore::Await(std::unique_ptr<LogRequest> request, LogOutcome* outcome) {
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    // Guarded by mutex, both.
    bool over = false;
    LogOutcome outcome;
  };
  const auto waiting = std::make_shared<Waiting>();
  request->done = [waiting](LogOutcome& result) {
    const std::lock_guard lock(waiting->mutex);
    waiting->outcome = std::move(result);
    waiting->over = true;
    waiting->changed.notify_all();
  };
  writer_->Enqueue(std::move(request));
  std::unique_lock lock(waiting->mutex);
  waiting->changed.wait(lock, [&] { return waiting->over; });
  *outcome = std::move(waiting->outcome);
  return CopyOf(outcome->status);
}

Status FileStore::Close(std::chrono::milliseconds patience) noexcept {
  const auto until = std::chrono::steady_clock::now() + patience;
  {
    std::unique_lock lock(mutex_);
    if (std::exchange(closing_, true)) return {};
    closed_ = true;
    // What it held back goes on, and ends.
    pace_.Close();
  }
  writer_->Kick();
  {
    std::unique_lock lock(mutex_);
    if (!quiet_.wait_for(lock, patience, [this] { return under_way_ == 0; })) {
      // Nobody may own the directory while somebody may still write to it.
      return Status::Failed(Status::Code::kIo,
                            std::to_string(under_way_) + " operations on " + options_.dir +
                                " did not end in time: it stays locked until they do");
    }
  }
  // Whatever is lost of it if the power goes now, the next open knows.
  Status tagged = tags_->Sync();
  auto end = std::make_unique<LogRequest>();
  LogOutcome outcome;
  // A log that was never written to, and that has nothing new, needs none; but for one that nobody
  // has closed yet.
  const bool unclosed = !recovered_.clean && segments_.count() > 0;
  const bool written = writer_->active() != 0 || writer_->bytes_written() > 0 || unclosed;
  const bool clean = written && !orphaned_;
  if (clean) {
    end->items.push_back({.kind = LogItem::Kind::kEnd, .bytes = MakeBare(RecordKind::kEnd)});
  }
  // Without an end it is a barrier: what the store wrote by its own doing, which nobody waits for,
  // is written before the segment is closed.
  Status ended = Await(std::move(end), &outcome);
  Status closed = writer_->CloseActive();
  if (ended.ok()) ended = std::move(closed);
  if (written && ended.ok() && outcome.end.segment != 0) {
    // With durability `power` those of this owner are synced already.
    const bool synced_all = power() && !retuned_;
    const uint64_t from = recovered_.synced ? recovered_.next_sequence : 0;
    const uint64_t to = synced_all ? recovered_.next_sequence : UINT64_MAX;
    const bool none = from > 0 && blobs_.bytes_written() == 0;
    const bool synced = clean && (none || blobs_.Sync(from, to, [until] {
                          return std::chrono::steady_clock::now() >= until;
                        }));
    // Without room for it, the next open reads the log.
    Status imaged = WriteImageAt(outcome.end, true, synced);
    if (!imaged.ok() && imaged.code() != Status::Code::kNoSpace) ended = std::move(imaged);
  }
  files_.Trim();
  lock_.reset();
  return ended.ok() ? std::move(tagged) : std::move(ended);
}

Status FileStore::Checkpoint() noexcept {
  LogOutcome outcome;
  Status done = Await(std::make_unique<LogRequest>(), &outcome);
  if (!done.ok() || outcome.end.segment == 0) return done;
  return WriteImageAt(outcome.end, false, power() && !retuned_);
}

void FileStore::WantImage() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || imaging_.exchange(true)) return;
    under_way_ += 1;
  }
  imaged_at_ = writer_->bytes_written();
  auto barrier = std::make_unique<LogRequest>();
  barrier->done = [this](LogOutcome& outcome) {
    // Not on the thread that writes: an image takes its time.
    RunOn(Executor::kMaintenance, [self = shared_from_this(), position = outcome.end] {
      // One that cannot be written leaves the next open more to read.
      const bool synced = self->power() && !self->retuned_;
      if (position.segment != 0) {
        static_cast<void>(self->WriteImageAt(position, false, synced).ok());
      }
      self->imaging_ = false;
      self->Ended();
    });
  };
  writer_->Enqueue(std::move(barrier));
}

Status FileStore::SyncSegments(uint64_t from) {
  for (const Segments::Handle& segment : segments_.All()) {
    if (segment->number < from) continue;
    Result<File> opened =
        directory_->log().OpenFile(SegmentName(segment->number), Env::Access::kReadWrite);
    // It was reclaimed meanwhile.
    if (opened.status().code() == Status::Code::kNotFound) continue;
    if (!opened.ok()) return opened.TakeStatus();
    File file = opened.Take();
    if (Status synced = file.SyncData(); !synced.ok()) return synced;
  }
  return directory_->log().Sync();
}

Status FileStore::WriteImageAt(Position position, bool clean, bool synced) {
  const std::lock_guard lock(image_mutex_);
  const Segments::Handle oldest = segments_.Oldest();
  if (oldest == nullptr) return {};
  if (Status log = SyncSegments(synced_before_); !log.ok()) return log;
  // It may grow while it is written.
  const uint64_t most = ImageBytes(index_->count() + 1024) + ImagePage::kBytes;
  const uint64_t charge = InUnits(most) + LogWriter::kFileSlack;
  const auto use = clean ? DiskLedger::Use::kLog : DiskLedger::Use::kOther;
  if (!ledger_.Take(charge, use)) {
    return Status::Failed(Status::Code::kNoSpace, "no room for an image of the index");
  }
  const ImageHeader header{
      .number = next_image_++,
      .position = position,
      .oldest = std::min(oldest->number, position.segment),
      .next_sequence = writer_->next_sequence(),
      .doubt = recovered_.doubt,
      .clean = clean && !orphaned_,
      .synced = synced,
      .boot_id = boot_id_,
      .written_at = static_cast<uint64_t>(std::max(env_.EpochMilliseconds(), 0.0))};
  Status written = WriteImage(directory_->log(), context_, *index_, header, most);
  if (!written.ok()) {
    // If it could not be removed, it takes its room still.
    const Status there = directory_->log().Unlink(ImageName(header.number));
    if (there.ok() || there.code() == Status::Code::kNotFound) ledger_.Give(charge);
    return written;
  }
  const Result<NodeInfo> info = directory_->log().StatAt(ImageName(header.number));
  const uint64_t taken = info.ok() ? std::min(info.value().allocated, charge) : charge;
  ledger_.Give(charge - taken);
  if (image_ != 0 && directory_->log().Unlink(ImageName(image_)).ok()) ledger_.Give(image_charge_);
  image_ = header.number;
  image_charge_ = taken;
  synced_before_ = position.segment;
  return {};
}

FileStore::Stats FileStore::stats() const {
  return {.entries = index_->count(),
          .blobs = index_->blobs(),
          .bytes = ledger_.used(),
          .most_bytes = ledger_.most_used(),
          .max_bytes = ledger_.max(),
          .index_bytes = index_->committed(),
          .segments = segments_.count(),
          .evictions = evictions_,
          .expirations = expirations_,
          .corrupt = corrupt_,
          .read_errors = read_errors_,
          .write_errors = writer_->failures(),
          .refusals = refusals_,
          .room_refusals = room_refusals_,
          .reclaimed_segments = reclaimed_,
          .bytes_given = given_,
          .blob_bytes_written = blobs_.bytes_written(),
          .bytes_written = writer_->bytes_written(),
          .bytes_copied = writer_->bytes_copied()};
}

uint32_t FileStore::NowSeconds() const noexcept {
  const double told = told_time_;
  const double now = std::isnan(told) ? env_.EpochMilliseconds() : told;
  return static_cast<uint32_t>(std::clamp(now / 1000, 0.0, 4294967294.0));
}

Bytes16 FileStore::BytesOf(const Hash128& hash) noexcept {
  Bytes16 bytes;
  Store64(bytes.data(), hash.low);
  Store64(bytes.data() + 8, hash.high);
  return bytes;
}

}  // namespace drey::file
