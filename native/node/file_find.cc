#include <algorithm>
#include <utility>

#include "file_store/format/metadata.h"
#include "node/file_call.h"
#include "node/functions.h"

// Finding and reading entries.
namespace drey::node {
namespace {

// What fileFind and a find that waited say; lib/native/addon.ts has the same list as FOUND_FILE.
enum FileFound : int32_t { kFileMiss, kFileFound, kFileWait, kFileTooSmall };

// Values up to this are handed over whole, blobs too.
constexpr uint64_t kInHand = 64 * 1024;

// An offset in the memory that was given; what is empty is nowhere.
double Place(Slice part, const uint8_t* memory) {
  return part.empty() ? 0 : static_cast<double>(part.data() - memory);
}

// False when its metadata are none.
bool WriteFound(Files& files, const file::Opened& opened, const uint8_t* memory) {
  const file::RecordHead& head = opened.head;
  file::Metadata metadata;
  if (!file::Parse(head.metadata, &metadata)) return false;
  files.Number(kFileSize) = static_cast<double>(head.size);
  files.Number(kFileStored) = static_cast<double>(head.stored);
  files.Number(kFileChunkPower) = head.chunk_power;
  files.Number(kFileTableAt) = Place(head.table, memory);
  files.Number(kFileSequence) = static_cast<double>(head.sequence);
  files.Number(kFileDoubt) = opened.doubtful ? 1 : 0;
  files.Number(kFileCachedAt) = metadata.cached_at;
  files.Number(kFileFreshUntil) = metadata.fresh_until;
  files.Number(kFileStaleUntil) = metadata.stale_until;
  files.Number(kFileStaleIfErrorUntil) = metadata.stale_if_error_until;
  files.Number(kFileNegative) = metadata.negative ? 1 : 0;
  files.Number(kFileEtagAt) = Place(metadata.etag, memory);
  files.Number(kFileEtagSize) = metadata.has_etag ? static_cast<double>(metadata.etag.size()) : -1;
  files.Number(kFileUserAt) = Place(metadata.user, memory);
  files.Number(kFileUserSize) = metadata.has_user ? static_cast<double>(metadata.user.size()) : -1;
  files.Number(kFileCodecAt) = Place(metadata.codec, memory);
  files.Number(kFileCodecSize) =
      metadata.has_codec ? static_cast<double>(metadata.codec.size()) : -1;
  files.Number(kFileLabelsAt) = Place(metadata.labels, memory);
  files.Number(kFileLabelsSize) =
      metadata.has_labels ? static_cast<double>(metadata.labels.size()) : -1;
  files.Number(kFileBlob) = -1;
  return true;
}

void WritePacked(Files& files, const file::Opened& opened, const uint8_t* memory) {
  uint8_t codec = 0;
  for (uint64_t at = 0; at < opened.head.ChunkCount(); at++) {
    codec = std::max(codec, opened.head.ChunkAt(at).codec);
  }
  files.Number(kFileCodec) = codec;
  files.Number(kFileValueAt) = Place(opened.data, memory);
  files.Number(kFileValueBytes) = static_cast<double>(opened.data.size());
}

// Chunks of the blob from `at` on, one behind the other, as long as they are as they were written;
// one that was compressed comes alone. Says how many, and their bytes and codec.
struct ChunksRead {
  Status status;
  uint64_t chunks = 0;
  uint64_t bytes = 0;
  uint8_t codec = 0;
};
ChunksRead ReadChunks(FileBlob& blob, uint64_t at, uint64_t most, std::span<uint8_t> into) {
  ChunksRead read;
  const std::lock_guard lock(blob.mutex);
  const file::BlobShape& shape = blob.reader->shape();
  while (read.chunks < most && at + read.chunks < shape.Chunks()) {
    const uint64_t raw = file::RawLength(shape.size, shape.chunk_power, at + read.chunks);
    const auto left = into.subspan(read.bytes);
    if (left.size() < raw) break;
    file::ChunkEntry chunk;
    read.status = blob.reader->ReadChunk(at + read.chunks, left.first(raw), &chunk);
    // What was read before stands: the next read begins with what is wrong.
    if (!read.status.ok()) {
      if (read.chunks > 0) read.status = Status();
      return read;
    }
    if (chunk.codec != 0 && read.chunks > 0) return read;
    read.chunks += 1;
    read.bytes += chunk.stored;
    read.codec = chunk.codec;
    if (chunk.codec != 0) return read;
  }
  return read;
}

// The end of a find on a thread of the store: of a blob, the first chunks are looked at now, so
// that what is wrong with them is a miss.
int32_t Settle(const std::shared_ptr<file::FileStore>& store, Slice key, bool peek,
               FileOperation& operation, file::Find found, file::Opened opened) {
  if (found == file::Find::kTooSmall) {
    operation.opened = std::move(opened);
    return kFileTooSmall;
  }
  if (found != file::Find::kFound) return kFileMiss;
  if (opened.blob != nullptr) {
    auto blob = std::make_shared<FileBlob>();
    blob->store = store;
    blob->key.assign(key.begin(), key.end());
    blob->position = opened.position;
    blob->reader = std::move(opened.blob);
    const uint64_t at = opened.head.PaddedLength();
    operation.value_at = at;
    if (!peek || opened.head.size <= kInHand) {
      ChunksRead read = ReadChunks(*blob, 0, UINT64_MAX, operation.bytes.subspan(at));
      if (!read.status.ok()) {
        if (read.status.code() == Status::Code::kCorrupt) {
          store->DropDamaged(key, opened.position);
        } else {
          store->CountReadError();
        }
        return kFileMiss;
      }
      operation.value_bytes = read.bytes;
      operation.codec = read.codec;
    }
    operation.blob = std::move(blob);
  }
  operation.opened = std::move(opened);
  operation.kept = true;
  return kFileFound;
}

}  // namespace

napi_value FileBlock(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  return arguments.environment().files.block.Use(env, arguments[0], arguments[1]);
}

napi_value FileKnows(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::string_view> key = TextArgument(env, arguments[1], "key", files.KeySpace());
  if (!key.ok()) return Throw(env, key.status());
  return Boolean(env, open->attached.directory->store().Knows(SliceOf(key.value())));
}

napi_value FileFind(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::string_view> key = TextArgument(env, arguments[1], "key", files.KeySpace());
  if (!key.ok()) return Throw(env, key.status());
  Block& block = files.block;
  const std::span<uint8_t> into(block.data + block.used, block.size - block.used);
  file::Opened opened;
  const file::Find found = open->attached.directory->store().FindNow(
      SliceOf(key.value()), BoolArgument(env, arguments[2]), into, &opened);
  files.Number(kFileBlockUsed) = static_cast<double>(block.used);
  switch (found) {
    case file::Find::kMiss:
      return Int(env, kFileMiss);
    case file::Find::kFound:
      if (!WriteFound(files, opened, block.data)) return Int(env, kFileMiss);
      WritePacked(files, opened, block.data);
      block.used += opened.head.PaddedLength();
      return Int(env, kFileFound);
    case file::Find::kWait:
    case file::Find::kTooSmall:
      break;
  }
  files.Number(kFileNeeded) = static_cast<double>(opened.needed);
  files.Number(kFileNeedsBlob) = opened.needs_blob ? 1 : 0;
  return Int(env, found == file::Find::kWait ? kFileWait : kFileTooSmall);
}

napi_value FileFindLater(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::string_view> key = TextArgument(env, arguments[1], "key", files.KeySpace());
  if (!key.ok()) return Throw(env, key.status());
  const bool peek = BoolArgument(env, arguments[2]);
  const Result<Slice> bytes = BytesArgument(env, arguments[3], "memory");
  if (!bytes.ok()) return Throw(env, bytes.status());
  auto* const data = const_cast<uint8_t*>(bytes.value().data());
  Files::Operation operation;
  const int64_t id = files.Begin(arguments[3], {data, bytes.value().size()}, &operation);
  if (id < 0) return OperationValue(env, id);
  const std::shared_ptr<file::FileStore>& store = open->attached.directory->share();
  const Slice found_by = SliceOf(key.value());
  // The find that had to wait has counted as the use.
  store->FindLater(found_by, true, operation->bytes,
                   [store, peek, copied = std::vector<uint8_t>(found_by.begin(), found_by.end()),
                    operation, end = files.EndOf(static_cast<uint32_t>(id), operation)](
                       file::Find found, file::Opened opened) {
                     const int32_t outcome =
                         Settle(store, copied, peek, *operation, found, std::move(opened));
                     end({.outcome = outcome,
                          .first = operation->opened.needed,
                          .second = operation->opened.needs_blob ? uint64_t{1} : 0});
                   });
  return OperationValue(env, id);
}

napi_value FileTake(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  const Result<uint32_t> id = Uint32Argument(env, arguments[0], "operation");
  Files::Operation* const found = id.ok() ? files.operations.Get(id.value()) : nullptr;
  if (found == nullptr || *found == nullptr || !(*found)->kept) {
    return Throw(env, Status::InvalidArgument("operation must be a find that found something"));
  }
  const Files::Operation operation = *found;
  const uint8_t* const memory = operation->bytes.data();
  // Its memory is the caller's still, who asks.
  const bool whole = WriteFound(files, operation->opened, memory);
  if (whole && operation->blob == nullptr) {
    WritePacked(files, operation->opened, memory);
  } else if (whole) {
    const file::BlobShape shape = operation->blob->reader->shape();
    files.Number(kFileValueAt) = static_cast<double>(operation->value_at);
    files.Number(kFileValueBytes) = static_cast<double>(operation->value_bytes);
    files.Number(kFileCodec) = operation->codec;
    files.Number(kFileBlobSequence) = static_cast<double>(operation->opened.head.blob_sequence);
    files.Number(kFileBlobCharge) = static_cast<double>(
        file::BlobCharge(static_cast<uint32_t>(file::UnitsOf(shape.FileBytes()))));
    files.Number(kFileBlob) = files.blobs.Add(operation->blob);
  }
  files.Forget(id.value());
  return Boolean(env, whole);
}

napi_value BlobRead(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Files& files = arguments.environment().files;
  const Result<uint32_t> number = Uint32Argument(env, arguments[0], "blob");
  std::shared_ptr<FileBlob>* const blob = number.ok() ? files.blobs.Get(number.value()) : nullptr;
  if (blob == nullptr) return Throw(env, Status::InvalidArgument("blob must be one that is open"));
  const Result<uint64_t> chunk = CountArgument(env, arguments[1], "chunk");
  if (!chunk.ok()) return Throw(env, chunk.status());
  const Result<uint64_t> most = CountArgument(env, arguments[2], "count");
  if (!most.ok()) return Throw(env, most.status());
  const Result<Slice> target = BytesArgument(env, arguments[3], "target");
  if (!target.ok()) return Throw(env, target.status());
  auto* const data = const_cast<uint8_t*>(target.value().data());
  Files::Operation operation;
  const int64_t id = files.Begin(arguments[3], {data, target.value().size()}, &operation);
  if (id < 0) return OperationValue(env, id);
  RunOrRefuse(
      files, static_cast<uint32_t>(id), *(*blob)->store, Executor::kRead, operation,
      [from = *blob, first = chunk.value(), count = most.value(), operation]() -> Files::Ending {
        ChunksRead read = ReadChunks(*from, first, count, operation->bytes);
        if (read.status.code() == Status::Code::kCorrupt) {
          from->store->DropDamaged(from->key, from->position);
        } else if (!read.status.ok()) {
          from->store->CountReadError();
        }
        operation->failure = std::move(read.status);
        return {.outcome = read.codec, .first = read.bytes, .second = read.chunks};
      });
  return OperationValue(env, id);
}

napi_value BlobClose(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  const Result<uint32_t> number = Uint32Argument(env, arguments[0], "blob");
  std::shared_ptr<FileBlob>* const blob = number.ok() ? files.blobs.Get(number.value()) : nullptr;
  if (blob == nullptr) return nullptr;
  std::shared_ptr<FileBlob> gone = std::move(*blob);
  const std::shared_ptr<file::FileStore> store = gone->store;
  files.blobs.Remove(number.value());
  LetGo(*store, [ending = std::move(gone)] {});
  return nullptr;
}

}  // namespace drey::node
