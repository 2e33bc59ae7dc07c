#include "memory/system.h"
#include "memory/whole_pages.h"
#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"
#include "node/values.h"

// Memory for the buffer pool.
namespace drey::node {

napi_value SlabGiveBack(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  void* data = nullptr;
  size_t size = 0;
  if (napi_get_arraybuffer_info(env, arguments[0], &data, &size) != napi_ok) {
    return Throw(env, Status::InvalidArgument("slab must be an ArrayBuffer"));
  }
  return Boolean(env, DropWholePages(PosixMemory(), static_cast<uint8_t*>(data), size));
}

}  // namespace drey::node
