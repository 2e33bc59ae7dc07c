#include "file_store/file_registry.h"

#include <algorithm>

#include "core/clock.h"
#include "io/folder.h"

namespace drey::file {
namespace {

// The store bounds what is under way by what its callers may begin; nothing is refused here,
// because what is refused would be done by the caller, who may be an event loop.
constexpr uint32_t kQueue = uint32_t{1} << 30;

}  // namespace

// One directory: who has it open, and that nobody else opens or closes it meanwhile.
struct FileRegistrySlot {
  explicit FileRegistrySlot(std::pair<uint64_t, uint64_t> of) noexcept : identity(of) {}

  const std::pair<uint64_t, uint64_t> identity;
  // Held while the directory is being opened or closed.
  std::mutex mutex;
  // Guarded by mutex, both.
  uint64_t users = 0;
  std::shared_ptr<OpenDirectory> directory;
};

OpenDirectory::~OpenDirectory() {
  store_ = nullptr;
  // What runs still is the end of a task that has told all it had to tell.
  if (executor_ != nullptr) static_cast<void>(executor_->Stop(MonotonicClock::kNever));
}

Result<std::shared_ptr<OpenDirectory>> OpenDirectory::Open(const FileStoreOptions& given,
                                                           uint32_t read_threads) {
  std::shared_ptr<OpenDirectory> directory(new OpenDirectory);
  Executor::Options threads;
  threads.name = "drey-disk";
  // One writes, so that what is given up is gone before what is written after it.
  threads.lanes[Executor::kRead] = {.threads = read_threads, .queue = kQueue};
  threads.lanes[Executor::kWrite] = {.threads = 1, .queue = kQueue};
  threads.lanes[Executor::kMaintenance] = {.threads = 1, .queue = kQueue};
  Result<std::unique_ptr<Executor>> executor = Executor::Start(threads);
  if (!executor.ok()) return executor.TakeStatus();
  directory->executor_ = executor.Take();
  directory->workers_ = std::make_unique<ExecutorWorkers>(*directory->executor_);
  FileStoreOptions options = given;
  options.workers = directory->workers_.get();
  options.listener = directory.get();
  Result<std::shared_ptr<FileStore>> store = FileStore::Open(options);
  if (!store.ok()) return store.TakeStatus();
  directory->store_ = store.Take();
  directory->read_threads_ = read_threads;
  return directory;
}

Status OpenDirectory::Tune(const FileTuning& tuning, uint32_t read_threads) {
  const uint32_t before = read_threads_;
  if (before != read_threads) {
    if (Status resized = executor_->Resize(Executor::kRead, read_threads); !resized.ok()) {
      // Those that there are do.
      static_cast<void>(executor_->Resize(Executor::kRead, before).ok());
      return resized;
    }
    read_threads_ = read_threads;
  }
  Status tuned = store_->Tune(tuning);
  if (tuned.ok() || before == read_threads) return tuned;
  static_cast<void>(executor_->Resize(Executor::kRead, before).ok());
  read_threads_ = before;
  return tuned;
}

Status OpenDirectory::Close() {
  Status closed = store_->Close();
  static_cast<void>(executor_->Stop(MonotonicClock::kNever));
  return closed;
}

void OpenDirectory::Listen(const std::shared_ptr<FileAudience>& audience) {
  const std::lock_guard lock(mutex_);
  audiences_.push_back(audience);
  heard_ = true;
}

void OpenDirectory::Unlisten(const std::shared_ptr<FileAudience>& audience) {
  const std::lock_guard lock(mutex_);
  std::erase(audiences_, audience);
  heard_ = !audiences_.empty();
}

void OpenDirectory::Evicted(Slice key, bool expired) {
  Tell(key, expired ? FileAudience::Dropped::kExpired : FileAudience::Dropped::kEvicted);
}

void OpenDirectory::Corrupt(Slice key) { Tell(key, FileAudience::Dropped::kCorrupt); }

void OpenDirectory::Tell(Slice key, FileAudience::Dropped why) {
  if (!heard_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  for (const std::shared_ptr<FileAudience>& audience : audiences_) audience->Hear(key, why);
}

Result<FileRegistry::Identity> FileRegistry::IdentityOf(const FileStoreOptions& options) {
  // Made if only its last part is missing: what lies above is the operator's to make.
  const size_t end = options.dir.find_last_of('/');
  if (end != options.dir.npos && end > 0) {
    const Result<Folder> above =
        OpenFolderAt(*options.env, options.dir.substr(0, end), Folder::Missing::kRefuse);
    // One that is a link is followed; only that there is none matters here.
    if (above.status().code() == Status::Code::kNotFound) {
      return Status::Failed(Status::Code::kIo, above.status().message(), above.status().error());
    }
  }
  Result<Folder> folder = OpenFolderAt(*options.env, options.dir, Folder::Missing::kMake);
  if (!folder.ok()) return folder.TakeStatus();
  const Result<NodeInfo> info = folder.value().Stat();
  if (!info.ok()) {
    return Status::Failed(info.status().code(), info.status().message(), info.status().error());
  }
  return Identity{info.value().device, info.value().inode};
}

Result<FileRegistry::Attachment> FileRegistry::Attach(const FileStoreOptions& options,
                                                      uint32_t read_threads) {
  Result<Identity> identity = IdentityOf(options);
  if (!identity.ok()) return identity.TakeStatus();
  std::shared_ptr<FileRegistrySlot> slot;
  {
    const std::lock_guard lock(mutex_);
    std::shared_ptr<FileRegistrySlot>& known = slots_[identity.value()];
    if (known == nullptr) known = std::make_shared<FileRegistrySlot>(identity.value());
    slot = known;
  }
  Status failed;
  Attachment attachment;
  {
    const std::lock_guard lock(slot->mutex);
    if (slot->directory == nullptr) {
      Result<std::shared_ptr<OpenDirectory>> opened = OpenDirectory::Open(options, read_threads);
      if (opened.ok()) {
        slot->directory = opened.Take();
      } else {
        failed = opened.TakeStatus();
      }
    }
    if (failed.ok()) {
      slot->users += 1;
      attachment = {slot->directory, slot};
    }
  }
  if (failed.ok()) return attachment;
  Forget(slot);
  return failed;
}

Status FileRegistry::Detach(Attachment attachment) {
  const std::shared_ptr<FileRegistrySlot> slot = std::move(attachment.slot);
  Status closed;
  {
    const std::lock_guard lock(slot->mutex);
    slot->users -= 1;
    if (slot->users > 0) return {};
    closed = slot->directory->Close();
    slot->directory = nullptr;
  }
  Forget(slot);
  return closed;
}

void FileRegistry::Forget(const std::shared_ptr<FileRegistrySlot>& slot) {
  const std::lock_guard lock(mutex_);
  // Under the lock nobody gets a share: the map and the caller have one each.
  if (slot.use_count() > 2) return;
  const auto found = slots_.find(slot->identity);
  if (found != slots_.end() && found->second == slot && slot->directory == nullptr) {
    slots_.erase(found);
  }
}

size_t FileRegistry::size() {
  const std::lock_guard lock(mutex_);
  return slots_.size();
}

FileRegistry& OpenDirectories() noexcept {
  // Never destroyed: worker threads may still run while the process exits and its statics are
  // destroyed.
  static auto* const registry = new FileRegistry;
  return *registry;
}

}  // namespace drey::file
