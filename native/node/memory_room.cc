#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"
#include "node/memory_arguments.h"

// Who leaves a memory store to make room: hearing of it, and deciding it, where the policy is
// JavaScript.
namespace drey::node {

napi_value MemoryListen(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const bool on = BoolArgument(env, arguments[1]);
  if (on != open->listens) open->store->Listen(on);
  open->listens = on;
  return nullptr;
}

napi_value MemoryEvicted(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const Evictions::List evicted = open->store->TakeEvicted();
  if (evicted.empty()) return nullptr;
  napi_value list = nullptr;
  napi_create_array_with_length(env, 2 * evicted.size(), &list);
  uint32_t at = 0;
  for (const Evictions::Left& left : evicted) {
    napi_set_element(env, list, at++, Text(env, left.key));
    napi_set_element(env, list, at++, Boolean(env, left.expired));
  }
  return list;
}

napi_value MemoryHost(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const auto entries = open->store->Host();
  napi_value list = nullptr;
  napi_create_array_with_length(env, 2 * entries.size(), &list);
  uint32_t at = 0;
  for (const MemoryStore::Hosted& entry : entries) {
    // Two values for each of what may be millions: none of them is held longer than its turn.
    napi_handle_scope scope = nullptr;
    napi_open_handle_scope(env, &scope);
    napi_set_element(env, list, at++, Text(env, entry.key));
    napi_set_element(env, list, at++, Count(env, entry.weight));
    napi_close_handle_scope(env, scope);
  }
  return list;
}

napi_value MemoryUnhost(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open != nullptr) open->store->Unhost();
  return nullptr;
}

napi_value MemoryBeyond(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const Result<uint64_t> max_bytes = CountArgument(env, arguments[1], "maxBytes");
  if (!max_bytes.ok()) return Throw(env, max_bytes.status());
  return Count(env, open->store->Beyond(max_bytes.value()));
}

napi_value MemoryWeight(napi_env env, napi_callback_info info) {
  return WithKey(env, info,
                 [&](MemoryStore& store, Slice key) { return Count(env, store.Weight(key)); });
}

napi_value MemoryEvictable(napi_env env, napi_callback_info info) {
  return WithKey(env, info,
                 [&](MemoryStore& store, Slice key) { return Boolean(env, store.Evictable(key)); });
}

napi_value MemoryEvict(napi_env env, napi_callback_info info) {
  return WithKey(env, info,
                 [&](MemoryStore& store, Slice key) { return Boolean(env, store.Evict(key)); });
}

napi_value MemoryRenew(napi_env env, napi_callback_info info) {
  return WithKey(env, info, [&](MemoryStore& store, Slice key) -> napi_value {
    store.Renew(key);
    return nullptr;
  });
}

}  // namespace drey::node
