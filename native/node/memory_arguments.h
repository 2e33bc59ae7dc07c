#pragma once

#include <node_api.h>

#include "core/slice.h"
#include "core/status.h"
#include "memory_store/metadata.h"
#include "node/memory.h"

// What the calls of the memory store have in common.
namespace drey::node {

// The key, in UTF-8, until the call returns. `memory` lends room for long ones.
class KeyArgument {
 public:
  KeyArgument(napi_env env, napi_value value, Memory& memory) noexcept;
  KeyArgument(const KeyArgument&) = delete;
  KeyArgument& operator=(const KeyArgument&) = delete;

  bool ok() const noexcept { return ok_; }
  Slice key() const noexcept { return key_; }

 private:
  bool ok_ = false;
  Slice key_;
  char small_[256];
};

// What a handle names; null, with a JavaScript error pending, when it names nothing.
OpenStore* StoreArgument(napi_env env, napi_value value, Memory& memory) noexcept;
EntryRef* EntryArgument(napi_env env, napi_value value, Memory& memory) noexcept;
std::shared_ptr<Draft>* DraftArgument(napi_env env, napi_value value, Memory& memory) noexcept;
std::shared_ptr<Flight>* FlightArgument(napi_env env, napi_value value, Memory& memory) noexcept;

// Metadata: times from the shared numbers, etag and user from the arguments. Its slices are
// `memory`'s, until the next such call.
Status MetadataArgument(napi_env env, napi_value etag, napi_value user, Memory& memory,
                        Metadata& metadata);

// The size that was declared, or Draft::kUnknown; false, with an error pending, when it is no size.
bool DeclaredArgument(napi_env env, napi_value value, uint64_t& declared) noexcept;

// Tells JavaScript of an entry.
void PutHead(const Head& head, Memory& memory) noexcept;

// What was asked for is no store, draft, entry or flight that is open: a mistake of lib/store.
napi_value ThrowUnknown(napi_env env, const char* what, uint32_t handle) noexcept;

// Bytes that are UTF-8, as a string.
napi_value Text(napi_env env, Slice text) noexcept;

// Results of calls, as small numbers; lib/native/addon.ts has the same lists.
napi_value Int(napi_env env, int32_t value) noexcept;

}  // namespace drey::node
