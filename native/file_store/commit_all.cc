#include <memory>
#include <utility>
#include <vector>

#include "file_store/file_store.h"
#include "file_store/record_io.h"

namespace drey::file {

// Drafts and deletes in one batch of the log. Files of blobs are made whole first: until the batch
// is in the log, nothing refers to them.
void FileStore::CommitAll(std::span<const Change> changes, WriteDone done) {
  struct Part {
    std::shared_ptr<FileDraft> draft;
    std::vector<uint8_t> metadata;
    uint32_t expires = 0;
    LogItem item;
  };
  if (Refused(done)) return;
  const auto parts = std::make_shared<std::vector<Part>>();
  const auto refuse = [this, parts, done](WriteOutcome outcome) {
    for (const Part& part : *parts) {
      if (part.draft != nullptr) part.draft->GiveUp();
    }
    done(std::move(outcome));
    Ended();
  };
  bool blobs = false;
  for (const Change& change : changes) {
    Part part;
    Status status;
    if (change.draft == nullptr) {
      const Member member{.key = change.key, .metadata = {}, .chunks = {}, .remove = true};
      static_cast<void>(MakeItem(member, &part.item, &status));
    } else {
      Metadata metadata;
      if (!Parse(change.metadata, &metadata) || !change.draft->Begin(true)) {
        status = Status::InvalidArgument(
            "fileStore: a draft is over, or its metadata are not as the format says");
      }
      part.metadata.assign(change.metadata.begin(), change.metadata.end());
      part.expires = ExpiresOf(metadata);
      if (status.ok()) {
        part.draft = change.draft;
        blobs = blobs || part.draft->blob_ != nullptr;
      }
    }
    parts->push_back(std::move(part));
    if (!status.ok()) {
      return refuse({.kind = WriteOutcome::Kind::kFailed, .status = std::move(status)});
    }
  }
  const auto append = [self = shared_from_this(), parts, refuse, done = std::move(done)] {
    const bool sync = self->power();
    for (const Part& part : *parts) {
      if (part.draft == nullptr || part.draft->blob_ == nullptr) continue;
      const Status finished = part.draft->blob_->Finish(sync);
      if (finished.ok()) continue;
      return refuse({.kind = WriteOutcome::Kind::kFailed, .status = CopyOf(finished)});
    }
    auto request = std::make_unique<LogRequest>();
    for (Part& part : *parts) {
      if (part.draft == nullptr) {
        request->items.push_back(std::move(part.item));
        continue;
      }
      request->items.push_back(part.draft->blob_ == nullptr
                                   ? part.draft->PackedItem(part.metadata, part.expires)
                                   : part.draft->BlobItem(part.metadata, part.expires));
      request->more_fences.push_back(part.draft->fence_);
    }
    self->Append(std::move(request), [parts, done](WriteOutcome outcome) {
      for (const Part& part : *parts) {
        if (part.draft == nullptr || part.draft->blob_ == nullptr) continue;
        if (outcome.kind == WriteOutcome::Kind::kDone) part.draft->blob_->Keep();
        part.draft->blob_.reset();
      }
      done(std::move(outcome));
    });
  };
  if (blobs) return RunOn(Executor::kWrite, append);
  append();
}

}  // namespace drey::file
