#pragma once

#include <node_api.h>

#include "core/slice.h"

// What calls return.
namespace drey::node {

// Outcomes, too; lib/native/addon.ts has the same lists.
napi_value Int(napi_env env, int32_t value) noexcept;
// Exact for whole numbers up to 2^53.
napi_value Double(napi_env env, double value) noexcept;
inline napi_value Count(napi_env env, uint64_t value) noexcept {
  return Double(env, static_cast<double>(value));
}
napi_value Boolean(napi_env env, bool value) noexcept;
// Of bytes that are UTF-8.
napi_value Text(napi_env env, Slice text) noexcept;

}  // namespace drey::node
