#include "core/hash.h"
#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"

namespace drey::node {
namespace {

// The longest text that is hashed, 32 KiB, is that of the longest key; one more for the zero that
// Node puts at the end of a string.
constexpr size_t kTextSpace = 32 * 1024 + 1;

}  // namespace

napi_value Hash128(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  const Result<Slice> key = BytesArgument(env, arguments[0], "key");
  if (!key.ok()) return Throw(env, key.status());
  if (key.value().size() != HashKey::kBytes) {
    return Throw(env, Status::InvalidArgument("key must have 16 bytes; it has " +
                                              std::to_string(key.value().size())));
  }
  const Result<std::span<uint32_t>> out = WordsArgument(env, arguments[2], "out", 4);
  if (!out.ok()) return Throw(env, out.status());

  napi_valuetype type = napi_undefined;
  napi_typeof(env, arguments[1], &type);
  char space[kTextSpace];
  Slice data;
  if (type == napi_string) {
    const Result<std::string_view> text = TextArgument(env, arguments[1], "data", space);
    if (!text.ok()) return Throw(env, text.status());
    data = SliceOf(text.value());
  } else {
    const Result<Slice> bytes = BytesArgument(env, arguments[1], "data");
    if (!bytes.ok()) return Throw(env, bytes.status());
    data = bytes.value();
  }

  const drey::Hash128 hash = Hash(HashKey::From(key.value()), data);
  const std::span<uint32_t> words = out.value();
  words[0] = static_cast<uint32_t>(hash.low);
  words[1] = static_cast<uint32_t>(hash.low >> 32);
  words[2] = static_cast<uint32_t>(hash.high);
  words[3] = static_cast<uint32_t>(hash.high >> 32);
  return nullptr;
}

}  // namespace drey::node
