#pragma once

#include <doctest/doctest.h>

#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "file_store/file_store.h"
#include "file_store/format/metadata.h"
#include "io/env_posix.h"
#include "support/env_fault.h"
#include "support/random.h"
#include "support/temp_folder.h"

namespace drey::test {

constexpr uint64_t kMiB = 1024 * 1024;

// Does all work at once, in the caller's thread: what a test did is over when the call returns.
class InlineWorkers final : public file::Workers {
 public:
  bool Run(Executor::LaneName, std::function<void()> work) override {
    // One after the other: as threads would, a task does not run within another.
    queue_.push_back(std::move(work));
    if (running_) return true;
    running_ = true;
    while (!queue_.empty()) {
      const std::function<void()> next = std::move(queue_.front());
      queue_.pop_front();
      next();
    }
    running_ = false;
    return true;
  }

 private:
  std::deque<std::function<void()>> queue_;
  bool running_ = false;
};

inline std::vector<uint8_t> MetadataOf(double fresh_until = file::Metadata::kNever,
                                       double cached_at = 1) {
  return file::Encode({.cached_at = cached_at,
                       .fresh_until = fresh_until,
                       .stale_if_error_until = fresh_until,
                       .etag = {},
                       .user = {},
                       .codec = {},
                       .labels = {}});
}

// Bytes that a reader recognises: of key, version and length.
inline std::vector<uint8_t> ValueOf(uint64_t seed, uint64_t size) {
  std::vector<uint8_t> value(size);
  Random random(seed + 1);
  for (size_t at = 0; at < size; at += 8) {
    const uint64_t word = random.Next();
    std::memcpy(&value[at], &word, std::min<size_t>(8, size - at));
  }
  return value;
}

inline std::vector<file::StoredChunk> ChunksOf(const std::vector<uint8_t>& value,
                                               uint8_t chunk_power = 16) {
  std::vector<file::StoredChunk> chunks;
  const uint64_t chunk = uint64_t{1} << chunk_power;
  for (uint64_t at = 0; at < value.size(); at += chunk) {
    const uint64_t length = std::min(chunk, value.size() - at);
    chunks.push_back({.codec = 0,
                      .raw = static_cast<uint32_t>(length),
                      .stored = Slice(value).subspan(at, length)});
  }
  return chunks;
}

using Written = file::WriteOutcome::Kind;

struct Wrote {
  bool called = false;
  Written kind = Written::kFailed;
  Status::Code code = Status::Code::kOk;
  bool existed = false;
  std::string message;
};

// A store in a test's hands: what it says is awaited, which InlineWorkers makes easy.
class Store {
 public:
  Store(Env& env, const std::string& dir, file::FileStoreOptions options = {}) {
    options.dir = dir;
    if (options.max_bytes == 0) options.max_bytes = 16 * kMiB;
    if (options.segment_bytes == 0) options.segment_bytes = kMiB;
    if (options.max_index_bytes == 0) options.max_index_bytes = 16 * kMiB;
    options.env = &env;
    options.workers = &workers_;
    Result<std::shared_ptr<file::FileStore>> opened = file::FileStore::Open(options);
    if (opened.ok()) store_ = opened.Take();
    error_ = opened.ok() ? "" : opened.status().message();
    code_ = opened.status().code();
  }

  bool ok() const { return store_ != nullptr; }
  const std::string& error() const { return error_; }
  Status::Code code() const { return code_; }
  file::FileStore* operator->() const { return store_.get(); }
  file::FileStore& operator*() const { return *store_; }

  static void Keep(Wrote& wrote, file::WriteOutcome& outcome) {
    wrote = {true, outcome.kind, outcome.status.code(), outcome.existed, outcome.status.message()};
  }
  file::WriteDone Into(Wrote& wrote) {
    return [&wrote](file::WriteOutcome outcome) { Keep(wrote, outcome); };
  }
  Wrote Set(const std::string& key, const std::vector<uint8_t>& value,
            const std::vector<uint8_t>& metadata = MetadataOf()) {
    Wrote wrote;
    if (value.size() > store_->options().pack_limit) return Stream(key, value, metadata);
    store_->Set(SliceOf(key), metadata, value.size(), ChunksOf(value), Into(wrote));
    return wrote;
  }
  Wrote Stream(const std::string& key, const std::vector<uint8_t>& value,
               const std::vector<uint8_t>& metadata = MetadataOf()) {
    const auto draft = store_->BeginDraft(SliceOf(key));
    Wrote wrote;
    for (const file::StoredChunk& chunk : ChunksOf(value)) {
      wrote = {};
      draft->Write(chunk, Into(wrote));
      if (wrote.kind != Written::kDone) return wrote;
    }
    wrote = {};
    draft->Commit(metadata, Into(wrote));
    return wrote;
  }
  Wrote Delete(const std::string& key, file::Drafts drafts = file::Drafts::kFenced) {
    Wrote wrote;
    store_->Delete(SliceOf(key), drafts, Into(wrote));
    return wrote;
  }
  Wrote Clear() {
    Wrote wrote;
    store_->Clear(Into(wrote));
    return wrote;
  }
  bool Put(const std::string& key, const std::vector<uint8_t>& value) {
    return Set(key, value).kind == Written::kDone;
  }

  struct Got {
    std::vector<uint8_t> value;
    std::vector<uint8_t> metadata;
    bool doubtful = false;
    file::Position position;
    uint64_t sequence = 0;
  };
  std::optional<Got> Get(const std::string& key, bool peek = false) {
    std::vector<uint8_t> into(2 * kMiB);
    file::Opened opened;
    if (store_->FindWaiting(SliceOf(key), peek, into, &opened) != file::Find::kFound) {
      return std::nullopt;
    }
    Got got{.value = {},
            .metadata = {opened.head.metadata.begin(), opened.head.metadata.end()},
            .doubtful = opened.doubtful,
            .position = opened.position,
            .sequence = opened.head.sequence};
    if (opened.blob == nullptr) {
      got.value.assign(opened.data.begin(), opened.data.end());
      return got;
    }
    std::vector<uint8_t> chunk(kMiB);
    for (uint64_t at = 0; at < opened.blob->shape().Chunks(); at++) {
      file::ChunkEntry entry;
      if (!opened.blob->ReadChunk(at, chunk, &entry).ok()) {
        store_->DropDamaged(SliceOf(key), opened.position);
        return std::nullopt;
      }
      got.value.insert(got.value.end(), chunk.begin(), chunk.begin() + entry.stored);
    }
    return got;
  }
  bool Has(const std::string& key, const std::vector<uint8_t>& value) {
    const std::optional<Got> got = Get(key, true);
    return got && got->value == value;
  }
  bool Close() {
    const Status closed = store_->Close();
    error_ = closed.message();
    return closed.ok();
  }

 private:
  InlineWorkers workers_;
  std::shared_ptr<file::FileStore> store_;
  std::string error_;
  Status::Code code_ = Status::Code::kOk;
};

// What the disk's blocks say of all that is in a folder.
uint64_t BlocksOf(Env& env, const std::string& path);

}  // namespace drey::test
