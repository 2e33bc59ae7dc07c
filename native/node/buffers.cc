#include "node/buffers.h"

#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"
#include "node/values.h"

// Memory for the buffer pool.
namespace drey::node {
namespace {

// What a finalizer needs: its slab, and where that is kept.
struct Lent {
  std::shared_ptr<BufferSlabs::Table> table;
  const void* start;
};

}  // namespace

napi_value SlabAllowed(napi_env env, napi_callback_info) {
  // Never written to, and no two engines see it: it is of the one call.
  auto* const byte = new uint8_t(0);
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, byte, 1, [](napi_env, void* data, void*) { delete static_cast<uint8_t*>(data); },
      nullptr, &buffer);
  if (status != napi_ok) delete byte;
  return Boolean(env, status == napi_ok);
}

napi_value SlabTake(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Result<uint64_t> bytes = CountArgument(env, arguments[0], "bytes");
  if (!bytes.ok()) return Throw(env, bytes.status());
  std::unique_ptr<BufferSlab> slab = BufferSlab::Map(PosixMemory(), bytes.value());
  if (slab == nullptr) return nullptr;
  const std::shared_ptr<BufferSlabs::Table> table = arguments.environment().buffers.table();
  uint8_t* const start = slab->data();
  const uint64_t size = slab->size();
  table->emplace(start, std::move(slab));
  auto* const lent = new Lent{table, start};
  napi_value buffer = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, start, size,
      [](napi_env, void*, void* hint) {
        const std::unique_ptr<Lent> gone(static_cast<Lent*>(hint));
        gone->table->erase(gone->start);
      },
      lent, &buffer);
  if (status != napi_ok) {
    table->erase(start);
    delete lent;
    return nullptr;
  }
  return buffer;
}

napi_value SlabGiveBack(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  void* data = nullptr;
  size_t size = 0;
  const bool is = napi_get_arraybuffer_info(env, arguments[0], &data, &size) == napi_ok;
  const BufferSlabs::Table& table = *arguments.environment().buffers.table();
  const auto slab = is ? table.find(data) : table.end();
  if (slab == table.end()) {
    return Throw(env, Status::InvalidArgument("slab must be what slabTake gave"));
  }
  return Boolean(env, slab->second->GiveBack());
}

}  // namespace drey::node
