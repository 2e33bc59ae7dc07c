#pragma once

#include <node_api.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "file_store/file_registry.h"
#include "file_store/file_store.h"
#include "io/completion_queue.h"
#include "io/thread.h"
#include "node/block.h"
#include "node/file_numbers.h"
#include "node/handles.h"

namespace drey::node {

// An open blob: readers of it take turns.
struct FileBlob {
  std::shared_ptr<file::FileStore> store;
  std::vector<uint8_t> key;
  file::Position position;
  std::mutex mutex;
  // Guarded by mutex.
  std::unique_ptr<file::BlobReader> reader;
};

// One page of a scan.
struct FileListing {
  struct Item {
    std::vector<uint8_t> key;
    std::vector<uint8_t> metadata;
    uint64_t size = 0;
    bool doubtful = false;
  };
  std::vector<Item> items;
};

// A scan: the index shard by shard, each as it was when its turn came.
struct FileScanState {
  std::shared_ptr<file::FileStore> store;
  size_t shard = 0;
  size_t at = 0;
  std::vector<file::IndexEntry> entries;
};

// An operation from the call until JavaScript was told how it ended. The thread that does it writes
// to it, and lets go of it before the completion is pushed; the loop reads it after that.
struct FileOperation {
  // Memory of JavaScript that it reads or writes, held where it is.
  napi_ref memory = nullptr;
  std::span<uint8_t> bytes;
  // JavaScript has to ask for what came of it: a failure, an entry, a page.
  bool kept = false;
  // It is told of again and again.
  bool standing = false;
  Status failure;
  file::FileRegistry::Attachment attached;
  file::Opened opened;
  std::shared_ptr<FileBlob> blob;
  uint64_t value_at = 0;
  uint64_t value_bytes = 0;
  uint8_t codec = 0;
  FileListing listing;
  // Chunks that are to be written.
  std::vector<file::StoredChunk> chunks;
  std::vector<uint8_t> metadata;
  // Of an open or a close, which have no executor to run on.
  Thread thread;
};

// What the threads of stores and the loop of one environment share, whichever ends first.
//
// Invariant: `busy` operations may still touch memory of the environment, or its stores; an end of
// the environment waits for them, so after it none does.
struct FileDesk {
  FileDesk(uint32_t capacity, CompletionQueue::Wake wake, void* context) noexcept
      : queue(capacity, wake, context) {}

  // What an operation has done last. Told before it counts as done: an end of the environment
  // closes the queue first, and then waits for those that are not done.
  void Tell(const Completion& completion) {
    queue.Push(completion);
    if (busy.fetch_sub(1) > 1) return;
    const std::lock_guard lock(mutex);
    quiet.notify_all();
  }

  CompletionQueue queue;
  std::mutex mutex;
  std::condition_variable quiet;
  // Counted down without the lock, which who waits for 0 holds while looking.
  std::atomic<uint64_t> busy = 0;
  // Guarded by mutex: why operations failed that have nothing else to keep it.
  std::unordered_map<uint32_t, Status> failures;
};

// Keys that stores dropped, until JavaScript asks for them: bounded, for nobody may ask.
class FileDrops final : public file::FileAudience {
 public:
  static constexpr size_t kMost = 100'000;
  // `id` is told as an operation that ended when there is something, once.
  FileDrops(std::shared_ptr<FileDesk> desk, uint64_t id) noexcept
      : desk_(std::move(desk)), id_(id) {}

  void Hear(Slice key, Dropped why) override;
  std::vector<std::pair<std::string, Dropped>> Take();
  // Nobody asks any more; says whether it was told, so that a completion is on its way.
  bool End();

 private:
  const std::shared_ptr<FileDesk> desk_;
  const uint64_t id_;
  std::mutex mutex_;
  // Guarded by mutex_, both.
  std::vector<std::pair<std::string, Dropped>> drops_;
  bool told_ = false;
};

// A directory as one environment has it open.
struct OpenFileStore {
  file::FileRegistry::Attachment attached;
  // While it listens.
  std::shared_ptr<FileDrops> drops;
  uint32_t drops_operation = 0;
};

// What one environment has of file stores. When it ends, Close gives all of it back.
//
// Invariants:
//  - An operation has a completion reserved from Begin on, and is told of once, unless the
//  environment ends first.
//  - Once Close has returned no thread touches the thread-safe function, nor memory of JavaScript.
//  It is called by a cleanup hook that is added after that function was made, and thus runs before
//  Node takes it apart.
//  - The loop is kept alive exactly while operations are under way.
class Files {
 public:
  using Operation = std::shared_ptr<FileOperation>;
  // Tells how an operation ended: from any thread, once.
  struct Ending {
    int32_t outcome = 0;
    uint64_t first = 0;
    uint64_t second = 0;
  };

  Files() = default;
  ~Files();
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  // `receive` is called with the number of operations that the array of completions has. Once.
  napi_status Open(napi_env env, napi_value receive, napi_value* numbers, napi_value* completions);
  bool is_open() const noexcept { return desk_ != nullptr; }
  void Close() noexcept;

  // The most operations that are under way at a time: lib/native/addon.ts has it, too.
  static constexpr uint32_t kMostOperations = 4096;
  // Besides, so many that stand.
  static constexpr uint32_t kMostStanding = 256;

  // Begins an operation, which `memory`, unless null, is kept for. Its handle, or -1 when there are
  // too many or the environment ends: nothing is begun then.
  int64_t Begin(napi_value memory, std::span<uint8_t> bytes, Operation* operation);
  // The same for an operation that is no more than its number: EndOfPlain tells its end. Nothing
  // but its failure can be asked for.
  int64_t BeginPlain();
  file::WriteDone EndOfPlain(uint32_t id) const;
  // Why it failed; once.
  Status FailureOf(uint32_t id);
  // Whoever does the operation calls this when it is done.
  std::function<void(Ending)> EndOf(uint32_t id, const Operation& operation);
  // Of what Begin began, and nobody does after all.
  void Cancel(uint32_t id);
  // A handle that stays: of something that is told of now and then.
  uint32_t AddStanding();
  bool Rearm() noexcept { return desk_->queue.Reserve(); }

  // JavaScript has been told what came of it.
  void Forget(uint32_t id) { Remove(id); }
  void StartListening(OpenFileStore& open);
  void StopListening(OpenFileStore& open);
  // What this environment has open of the store.
  void ForgetAllOf(const file::FileStore& store);
  // Room for the longest key.
  std::span<char> KeySpace();

  double& Number(FileNumber number) const noexcept { return numbers_[number]; }
  const std::shared_ptr<FileDesk>& desk() const noexcept { return desk_; }

  Handles<OpenFileStore> stores;
  // Null for those that are no more than their number.
  Handles<Operation> operations;
  Handles<std::shared_ptr<FileBlob>> blobs;
  Handles<std::shared_ptr<file::FileDraft>> drafts;
  Handles<std::shared_ptr<FileScanState>> scans;
  // What was put in this turn and waits for its end is written now.
  void KickAll();

  // What small values are copied into.
  Block block;
  std::vector<char> key_space;

 private:
  static constexpr size_t kBatch = 256;
  static void Deliver(napi_env env, napi_value receive, void* context, void* data);
  void Remove(uint32_t id);
  void Count(int change);

  napi_env env_ = nullptr;
  napi_threadsafe_function wake_ = nullptr;
  std::shared_ptr<FileDesk> desk_;
  napi_ref numbers_reference_ = nullptr;
  double* numbers_ = nullptr;
  napi_ref completions_reference_ = nullptr;
  double* completions_ = nullptr;
  uint32_t under_way_ = 0;
  bool closed_ = false;
};

// What operations that write tell; lib/native/file-numbers.ts has the same list as WRITTEN.
enum Written : int32_t { kWritten, kFencedOff, kGone, kTooLargeValue, kNoRoomLeft, kPromised };

// `failure` is what has to be asked for.
Files::Ending EndingOf(file::WriteOutcome outcome, Status* failure);

}  // namespace drey::node
