#include "node/memory.h"

namespace drey::node {

Memory::~Memory() {
  Close();
  block.Release(env_);
  if (numbers_reference_ != nullptr) napi_delete_reference(env_, numbers_reference_);
}

void OpenStore::Leave() {
  if (listens) store->Listen(false);
  store->Press(part, MemoryStore::kWhole);
  listens = false;
  part = MemoryStore::kWhole;
}

napi_status Memory::Open(napi_env env) {
  env_ = env;
  napi_value buffer = nullptr;
  void* data = nullptr;
  napi_status status = napi_create_arraybuffer(env, kNumbers * sizeof(double), &data, &buffer);
  if (status != napi_ok) return status;
  napi_value numbers = nullptr;
  status = napi_create_typedarray(env, napi_float64_array, kNumbers, buffer, 0, &numbers);
  if (status != napi_ok) return status;
  numbers_ = static_cast<double*>(data);
  // Held for good: the memory must not go while calls write to it.
  return napi_create_reference(env, numbers, 1, &numbers_reference_);
}

napi_value Memory::numbers(napi_env env) const noexcept {
  napi_value numbers = nullptr;
  napi_get_reference_value(env, numbers_reference_, &numbers);
  return numbers;
}

void Memory::Close() noexcept {
  // First of all: from here on no other thread calls into this environment.
  news.Close();
  for (uint32_t at = 0; at < stores.capacity(); at++) {
    OpenStore* open = stores.Get(at);
    if (open == nullptr) continue;
    open->Leave();
    open->store->AbortOwner(owner());
  }
  flights.Clear();
  drafts.Clear();
  entries.Clear();
  stores.Clear();
}

}  // namespace drey::node
