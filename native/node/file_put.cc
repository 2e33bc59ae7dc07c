#include <algorithm>
#include <utility>

#include "file_store/format/chunk.h"
#include "file_store/format/metadata.h"
#include "node/file_call.h"
#include "node/functions.h"

// Whole values that go into the log, in one call.
namespace drey::node {
namespace {

// Most entries have times and nothing else: those come as numbers.
std::vector<uint8_t> MetadataOfNumbers(const Files& files) {
  file::Metadata metadata;
  metadata.cached_at = files.Number(kFileCachedAt);
  metadata.fresh_until = files.Number(kFileFreshUntil);
  metadata.stale_until = files.Number(kFileStaleUntil);
  metadata.stale_if_error_until = files.Number(kFileStaleIfErrorUntil);
  metadata.negative = files.Number(kFileNegative) == 1;
  return file::Encode(metadata);
}

std::vector<file::StoredChunk> ChunksOf(Slice value, uint8_t chunk_power) {
  const size_t full = size_t{1} << chunk_power;
  std::vector<file::StoredChunk> chunks;
  chunks.reserve(file::ChunksOf(value.size(), chunk_power));
  for (Slice left = value; !left.empty();) {
    const Slice chunk = left.first(std::min(left.size(), full));
    chunks.push_back({.codec = 0, .raw = static_cast<uint32_t>(chunk.size()), .stored = chunk});
    left = left.subspan(chunk.size());
  }
  return chunks;
}

}  // namespace

napi_value FilePut(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::string_view> key = TextArgument(env, arguments[1], "key", files.KeySpace());
  if (!key.ok()) return Throw(env, key.status());
  const Result<Slice> value = BytesArgument(env, arguments[2], "value");
  if (!value.ok()) return Throw(env, value.status());
  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments[3], &type);
  std::vector<uint8_t> encoded;
  Slice metadata;
  if (type == napi_undefined) {
    encoded = MetadataOfNumbers(files);
    metadata = encoded;
  } else {
    const Result<Slice> given = BytesArgument(env, arguments[3], "metadata");
    if (!given.ok()) return Throw(env, given.status());
    metadata = given.value();
  }
  const int64_t id = files.BeginPlain();
  if (id < 0) return OperationValue(env, id);
  file::FileStore& store = open->attached.directory->store();
  store.Set(SliceOf(key.value()), metadata, value.value().size(),
            ChunksOf(value.value(), store.options().chunk_power),
            files.EndOfPlain(static_cast<uint32_t>(id)), file::LogWriter::When::kAtKick);
  return OperationValue(env, id);
}

napi_value FileKick(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open != nullptr) open->attached.directory->store().Kick();
  return nullptr;
}

}  // namespace drey::node
