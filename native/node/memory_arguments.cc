#include "node/memory_arguments.h"

#include <string>

#include "node/arguments.h"
#include "node/error.h"

namespace drey::node {
namespace {

template <class T>
T* Named(napi_env env, napi_value value, Handles<T>& handles, const char* what) noexcept {
  uint32_t handle = UINT32_MAX;
  napi_get_value_uint32(env, value, &handle);
  T* thing = handles.Get(handle);
  if (thing == nullptr) ThrowUnknown(env, what, handle);
  return thing;
}

}  // namespace

KeyArgument::KeyArgument(napi_env env, napi_value value, Memory& memory) noexcept {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, small_, sizeof small_, &length) != napi_ok) {
    Throw(env, Status::InvalidKey("key must be a string"));
    return;
  }
  const char* text = small_;
  // Node cuts what does not fit, at the border of a character of up to four bytes, and adds a zero.
  if (length + 4 >= sizeof small_) {
    memory.key_space.resize(MemoryStore::kMostKeyBytes + 5);
    napi_get_value_string_utf8(env, value, memory.key_space.data(), memory.key_space.size(),
                               &length);
    text = memory.key_space.data();
    if (length > MemoryStore::kMostKeyBytes) {
      Throw(env,
            Status::InvalidKey("key must have at most " +
                               std::to_string(MemoryStore::kMostKeyBytes) + " bytes in UTF-8"));
      return;
    }
  }
  ok_ = true;
  key_ = SliceOf({text, length});
}

OpenStore* StoreArgument(napi_env env, napi_value value, Memory& memory) noexcept {
  return Named(env, value, memory.stores, "store");
}
EntryRef* EntryArgument(napi_env env, napi_value value, Memory& memory) noexcept {
  return Named(env, value, memory.entries, "entry");
}
std::shared_ptr<Draft>* DraftArgument(napi_env env, napi_value value, Memory& memory) noexcept {
  return Named(env, value, memory.drafts, "draft");
}
std::shared_ptr<Flight>* FlightArgument(napi_env env, napi_value value, Memory& memory) noexcept {
  return Named(env, value, memory.flights, "flight");
}

Status MetadataArgument(napi_env env, napi_value etag, napi_value user, Memory& memory,
                        Metadata& metadata) {
  Status status = OptionalTextArgument(env, etag, "etag", memory.etag_space, metadata.has_etag);
  if (!status.ok()) return status;
  status = OptionalTextArgument(env, user, "user", memory.user_space, metadata.has_user);
  if (!status.ok()) return status;
  metadata.cached_at = memory.Number(kCachedAt);
  metadata.fresh_until = memory.Number(kFreshUntil);
  metadata.stale_until = memory.Number(kStaleUntil);
  metadata.stale_if_error_until = memory.Number(kStaleIfErrorUntil);
  metadata.negative = memory.Number(kNegative) != 0;
  metadata.etag = SliceOf(memory.etag_space);
  metadata.user = SliceOf(memory.user_space);
  return status;
}

bool DeclaredArgument(napi_env env, napi_value value, uint64_t& declared) noexcept {
  declared = Draft::kUnknown;
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_undefined) return true;
  const Result<uint64_t> size = CountArgument(env, value, "size");
  if (!size.ok()) {
    Throw(env, size.status());
    return false;
  }
  declared = size.value();
  return true;
}

void PutHead(const Head& head, Memory& memory) noexcept {
  memory.Number(kSize) = static_cast<double>(head.size);
  memory.Number(kCachedAt) = head.cached_at;
  memory.Number(kFreshUntil) = head.fresh_until;
  memory.Number(kStaleUntil) = head.stale_until;
  memory.Number(kStaleIfErrorUntil) = head.stale_if_error_until;
  memory.Number(kNegative) = head.negative ? 1 : 0;
  memory.Number(kEtagSize) = head.has_etag ? head.etag_size : -1.0;
  memory.Number(kUserSize) = head.has_user ? head.user_size : -1.0;
  memory.Number(kVersion) = head.version;
}

napi_value ThrowUnknown(napi_env env, const char* what, uint32_t handle) noexcept {
  return Throw(env, Status::InvalidArgument(std::string(what) + " is " + std::to_string(handle) +
                                            "; none of that number is open"));
}

}  // namespace drey::node
