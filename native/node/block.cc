#include "node/block.h"

#include <algorithm>
#include <utility>

#include "node/arguments.h"
#include "node/error.h"

namespace drey::node {

napi_value Block::Use(napi_env env, napi_value bytes_value, napi_value used_value) {
  const Result<Slice> bytes = BytesArgument(env, bytes_value, "block");
  if (!bytes.ok()) return Throw(env, bytes.status());
  const Result<uint32_t> given = Uint32Argument(env, used_value, "used");
  if (!given.ok()) return Throw(env, given.status());
  Release(env);
  if (napi_create_reference(env, bytes_value, 1, &reference) != napi_ok) {
    return Throw(env, Status::InvalidArgument("block must be a Uint8Array"));
  }
  // The caller gave it to be written.
  data = const_cast<uint8_t*>(bytes.value().data());
  size = bytes.value().size();
  used = std::min<size_t>(given.value(), size);
  return nullptr;
}

void Block::Release(napi_env env) noexcept {
  if (reference != nullptr) napi_delete_reference(env, reference);
  *this = {};
}

}  // namespace drey::node
