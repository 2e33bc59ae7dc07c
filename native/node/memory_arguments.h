#pragma once

#include <node_api.h>

#include "core/slice.h"
#include "core/status.h"
#include "memory_store/metadata.h"
#include "node/arguments.h"
#include "node/memory.h"
#include "node/values.h"

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

// Calls `act` with the store and the key that the first two arguments name.
template <class Act>
napi_value WithKey(napi_env env, napi_callback_info info, Act&& act) {
  const Arguments<2> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const KeyArgument key(env, arguments[1], memory);
  return key.ok() ? act(*open->store, key.key()) : nullptr;
}

}  // namespace drey::node
