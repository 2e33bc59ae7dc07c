#include "file_store/file_registry.h"

#include <string>

#include "io/folder.h"

namespace drey::file {
namespace {

// Drafts that spill, and the log.
constexpr uint32_t kWriteThreads = 2;
constexpr uint32_t kQueue = 16 * 1024;

Status Differs(const FileStoreOptions& given, const char* option, uint64_t is, uint64_t wanted) {
  return Status::InvalidArgument("fileStore: " + given.dir + " is open in this process with " +
                                 option + " " + std::to_string(is) + ", not " +
                                 std::to_string(wanted) + ": all that share it say the same");
}

Status SameAs(const FileStoreOptions& first, const FileStoreOptions& given) {
  if (first.max_bytes != given.max_bytes) {
    return Differs(given, "maxBytes", first.max_bytes, given.max_bytes);
  }
  if (first.policy != given.policy) {
    return Differs(given, "policy", static_cast<uint64_t>(first.policy),
                   static_cast<uint64_t>(given.policy));
  }
  if (first.durability != given.durability) {
    return Differs(given, "durability", static_cast<uint64_t>(first.durability),
                   static_cast<uint64_t>(given.durability));
  }
  if (first.chunk_power != given.chunk_power) {
    return Differs(given, "chunkBytes", uint64_t{1} << first.chunk_power,
                   uint64_t{1} << given.chunk_power);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<FileStore>> FileStoreRegistry::Attach(FileStoreOptions options,
                                                             uint32_t read_threads) noexcept {
  const std::lock_guard lock(mutex_);
  if (options.env == nullptr) return Status::InvalidArgument("fileStore: wants an Env");
  Result<Folder> folder = OpenFolderAt(*options.env, options.dir, Folder::Missing::kMake);
  if (!folder.ok()) return folder.TakeStatus();
  Result<NodeInfo> info = folder.value().Stat();
  if (!info.ok()) return info.TakeStatus();
  const Identity identity{info.value().device, info.value().inode};
  if (const auto found = entries_.find(identity); found != entries_.end()) {
    if (Status same = SameAs(found->second.store->options(), options); !same.ok()) return same;
    found->second.users += 1;
    return found->second.store;
  }
  Entry entry;
  if (options.workers == nullptr) {
    Executor::Options threads;
    threads.name = "drey-file";
    threads.lanes[Executor::kRead] = {.threads = read_threads, .queue = kQueue};
    threads.lanes[Executor::kWrite] = {.threads = kWriteThreads, .queue = kQueue};
    threads.lanes[Executor::kMaintenance] = {.threads = 1, .queue = kQueue};
    Result<std::unique_ptr<Executor>> started = Executor::Start(threads);
    if (!started.ok()) return started.TakeStatus();
    entry.executor = started.Take();
    entry.workers = std::make_unique<ExecutorWorkers>(*entry.executor);
    options.workers = entry.workers.get();
  }
  Result<std::shared_ptr<FileStore>> opened = FileStore::Open(options);
  if (!opened.ok()) {
    // What recovery had begun on them ends with them.
    if (entry.executor != nullptr) entry.executor->Stop(MonotonicClock::kNever);
    return opened.TakeStatus();
  }
  entry.store = opened.Take();
  entry.users = 1;
  return entries_.emplace(identity, std::move(entry)).first->second.store;
}

Status FileStoreRegistry::Detach(const std::shared_ptr<FileStore>& store) noexcept {
  const std::lock_guard lock(mutex_);
  for (auto at = entries_.begin(); at != entries_.end(); ++at) {
    Entry& entry = at->second;
    if (entry.store != store) continue;
    if (--entry.users > 0) return {};
    Status closed = store->Close();
    if (entry.executor != nullptr) entry.executor->Stop(MonotonicClock::kNever);
    entries_.erase(at);
    return closed;
  }
  return Status::InvalidArgument("fileStore: it is not open");
}

size_t FileStoreRegistry::size() noexcept {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

FileStoreRegistry& OpenFileStores() noexcept {
  static FileStoreRegistry registry;
  return registry;
}

}  // namespace drey::file
