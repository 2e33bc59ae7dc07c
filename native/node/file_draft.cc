#include <utility>

#include "node/file_call.h"
#include "node/functions.h"

// Drafts of a file store.
namespace drey::node {
namespace {

using SharedDraft = std::shared_ptr<file::FileDraft>;

// Descriptions of chunks, three numbers each: raw length, stored length, codec.
constexpr size_t kWordsOfChunk = 3;

Status ChunksOf(std::span<const uint32_t> table, Slice data,
                std::vector<file::StoredChunk>* chunks) {
  for (size_t at = 0; at + kWordsOfChunk <= table.size(); at += kWordsOfChunk) {
    const uint32_t stored = table[at + 1];
    if (stored > data.size() || table[at + 2] > UINT8_MAX) {
      return Status::InvalidArgument("chunks must be within their data");
    }
    chunks->push_back({.codec = static_cast<uint8_t>(table[at + 2]),
                       .raw = table[at],
                       .stored = data.first(stored)});
    data = data.subspan(stored);
  }
  return {};
}

// Writes the operation's chunks, from where they are, then commits if that is wanted.
void GoOn(const SharedDraft& draft, const Files::Operation& operation, bool commit,
          const std::function<void(Files::Ending)>& end) {
  const auto ended = [draft, operation, end](file::WriteOutcome outcome) {
    Files::Ending ending = EndingOf(std::move(outcome), &operation->failure);
    ending.second = draft->charge();
    end(ending);
  };
  if (operation->chunks.empty()) {
    if (commit) return draft->Commit(operation->metadata, ended);
    return ended({.kind = file::WriteOutcome::Kind::kDone, .status = {}});
  }
  std::vector<file::StoredChunk> chunks = std::exchange(operation->chunks, {});
  draft->WriteHeld(std::move(chunks),
                   [draft, operation, commit, ended](file::WriteOutcome outcome) {
                     if (commit && outcome.kind == file::WriteOutcome::Kind::kDone) {
                       return draft->Commit(operation->metadata, ended);
                     }
                     ended(std::move(outcome));
                   });
}

SharedDraft* DraftArgument(napi_env env, Files& files, napi_value value) {
  const Result<uint32_t> number = Uint32Argument(env, value, "draft");
  SharedDraft* const draft = number.ok() ? files.drafts.Get(number.value()) : nullptr;
  if (draft == nullptr) Throw(env, Status::InvalidArgument("draft must be one that is open"));
  return draft;
}

}  // namespace

napi_value FileDraftBegin(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::string_view> key = TextArgument(env, arguments[1], "key", files.KeySpace());
  if (!key.ok()) return Throw(env, key.status());
  return Double(
      env, files.drafts.Add(open->attached.directory->store().BeginDraft(SliceOf(key.value()))));
}

napi_value FileDraftWrite(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Files& files = arguments.environment().files;
  SharedDraft* const draft = DraftArgument(env, files, arguments[0]);
  if (draft == nullptr) return nullptr;
  const Result<Slice> data = BytesArgument(env, arguments[1], "data");
  if (!data.ok()) return Throw(env, data.status());
  const Result<uint32_t> count = Uint32Argument(env, arguments[3], "count");
  if (!count.ok()) return Throw(env, count.status());
  const Result<std::span<uint32_t>> table =
      WordsArgument(env, arguments[2], "table", size_t{count.value()} * kWordsOfChunk);
  if (!table.ok()) return Throw(env, table.status());
  // Metadata commits it; without, more is to come.
  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments[4], &type);
  const bool commit = type != napi_undefined;
  Slice metadata;
  if (commit) {
    const Result<Slice> given = BytesArgument(env, arguments[4], "metadata");
    if (!given.ok()) return Throw(env, given.status());
    metadata = given.value();
  }
  std::vector<file::StoredChunk> chunks;
  if (Status whole =
          ChunksOf(table.value().first(count.value() * kWordsOfChunk), data.value(), &chunks);
      !whole.ok()) {
    return Throw(env, whole);
  }
  Files::Operation operation;
  const int64_t id = files.Begin(arguments[1], {}, &operation);
  if (id < 0) return OperationValue(env, id);
  operation->chunks = std::move(chunks);
  operation->metadata.assign(metadata.begin(), metadata.end());
  GoOn(*draft, operation, commit, files.EndOf(static_cast<uint32_t>(id), operation));
  return OperationValue(env, id);
}

napi_value FileDraftEnd(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  SharedDraft* const draft = DraftArgument(env, files, arguments[0]);
  if (draft == nullptr) return nullptr;
  const SharedDraft gone = std::move(*draft);
  files.drafts.Remove(Uint32Argument(env, arguments[0], "draft").value());
  // Its file goes on a thread of the store.
  if (BoolArgument(env, arguments[1])) gone->Abort();
  return nullptr;
}

napi_value FileCommitAll(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  uint32_t length = 0;
  if (napi_get_array_length(env, arguments[1], &length) != napi_ok) {
    return Throw(env, Status::InvalidArgument("changes must be an array"));
  }
  // Pairs: a draft and its metadata, or a key and undefined.
  std::vector<file::FileStore::Change> changes;
  std::vector<std::vector<uint8_t>> keys(length / 2);
  for (uint32_t at = 0; at + 1 < length; at += 2) {
    napi_value what = nullptr;
    napi_value metadata = nullptr;
    napi_get_element(env, arguments[1], at, &what);
    napi_get_element(env, arguments[1], at + 1, &metadata);
    napi_valuetype type = napi_undefined;
    napi_typeof(env, what, &type);
    file::FileStore::Change& change =
        changes.emplace_back(file::FileStore::Change{.draft = nullptr, .metadata = {}, .key = {}});
    if (type == napi_string) {
      const Result<std::string_view> key = TextArgument(env, what, "key", files.KeySpace());
      if (!key.ok()) return Throw(env, key.status());
      keys[at / 2].assign(key.value().begin(), key.value().end());
      change.key = keys[at / 2];
      continue;
    }
    SharedDraft* const draft = DraftArgument(env, files, what);
    if (draft == nullptr) return nullptr;
    const Result<Slice> given = BytesArgument(env, metadata, "metadata");
    if (!given.ok()) return Throw(env, given.status());
    change.draft = *draft;
    change.metadata = given.value();
  }
  return BeginWrite(env, files, [&](file::WriteDone end) {
    open->attached.directory->store().CommitAll(changes, std::move(end));
  });
}

}  // namespace drey::node
