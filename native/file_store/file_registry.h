#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "core/status.h"
#include "file_store/file_store.h"
#include "file_store/workers.h"
#include "io/env.h"
#include "io/executor.h"

namespace drey::file {

// What a store dropped by its own doing, for those who have it open and want to know.
class FileAudience {
 public:
  virtual ~FileAudience() = default;

  enum class Dropped : uint8_t { kEvicted, kExpired, kCorrupt };
  // From any thread; must not wait.
  virtual void Hear(Slice key, Dropped why) = 0;
};

// A directory that this process has open, the threads that work for it, and those who listen.
class OpenDirectory final : public FileStoreListener {
 public:
  ~OpenDirectory() override;
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;

  FileStore& store() const noexcept { return *store_; }
  const std::shared_ptr<FileStore>& share() const noexcept { return store_; }

  // Threads that read the disk.
  uint32_t read_threads() const noexcept { return read_threads_; }
  // All of it, or nothing and why. Waits for the disk.
  Status Tune(const FileTuning& tuning, uint32_t read_threads);

  void Listen(const std::shared_ptr<FileAudience>& audience);
  // Once it has returned, the audience hears nothing any more.
  void Unlisten(const std::shared_ptr<FileAudience>& audience);

  void Evicted(Slice key, bool expired) override;
  void Corrupt(Slice key) override;

 private:
  friend class FileRegistry;

  OpenDirectory() noexcept = default;
  static Result<std::shared_ptr<OpenDirectory>> Open(const FileStoreOptions& options,
                                                     uint32_t read_threads);
  Status Close();
  void Tell(Slice key, FileAudience::Dropped why);

  // In this order: the store's work ends before its threads do.
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<ExecutorWorkers> workers_;
  std::shared_ptr<FileStore> store_;

  std::atomic<uint32_t> read_threads_{0};

  std::mutex mutex_;
  // Guarded by mutex_.
  std::vector<std::shared_ptr<FileAudience>> audiences_;
  // Whether there is anybody, so that nobody costs nothing.
  std::atomic<bool> heard_{false};
};

// The directories that this process has open: whoever opens one that is open already, from whatever
// thread, gets the same store. Which directory it is says the folder's device and inode, not its
// path.
//
// Invariants:
//  - A directory is open from the first Attach to the last Detach; who comes while it is being
//  opened or closed waits for that.
//  - No lock is held while another directory opens or closes.
class FileRegistry {
 public:
  // What somebody has of a directory, to be given back by Detach, once.
  struct Attachment {
    std::shared_ptr<OpenDirectory> directory;
    std::shared_ptr<struct FileRegistrySlot> slot;
  };

  // Options and threads are the first one's. Both wait for the disk.
  Result<Attachment> Attach(const FileStoreOptions& options, uint32_t read_threads);
  Status Detach(Attachment attachment);
  size_t size();

 private:
  using Identity = std::pair<uint64_t, uint64_t>;

  static Result<Identity> IdentityOf(const FileStoreOptions& options);
  void Forget(const std::shared_ptr<struct FileRegistrySlot>& slot);

  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<Identity, std::shared_ptr<struct FileRegistrySlot>> slots_;
};

// That of the process.
FileRegistry& OpenDirectories() noexcept;

}  // namespace drey::file
