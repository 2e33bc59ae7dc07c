#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

namespace drey::node {

// A block of memory that JavaScript allocated and that values are copied into, one behind the
// other: JavaScript hands out views of it. Creating a Buffer here for each value would cost more
// than all the rest of a read.
//
// Invariant: the reference keeps the memory for as long as it is the block; Release ends that.
struct Block {
  napi_ref reference = nullptr;
  uint8_t* data = nullptr;
  size_t size = 0;
  // What lies before it was given out, and is not written to again (I9).
  size_t used = 0;

  // Values are copied to `bytes`, a Uint8Array, from here on, behind the first `used` of it: the
  // whole of a call from JavaScript, which returns nothing.
  napi_value Use(napi_env env, napi_value bytes, napi_value used);
  void Release(napi_env env) noexcept;
};

}  // namespace drey::node
