#pragma once

#include <node_api.h>

// The functions that the addon exports, each a callback of Node-API; lib/native/addon.ts has their
// types.
namespace drey::node {

// crc32c(bytes: Uint8Array, seed: number): number
napi_value Crc32c(napi_env env, napi_callback_info info);

// crc32cBy(name: string, bytes: Uint8Array, seed: number): number, by the implementation of that
// name
napi_value Crc32cBy(napi_env env, napi_callback_info info);

// hash128(key: Uint8Array, data: Uint8Array | string, out: Uint32Array): void
napi_value Hash128(napi_env env, napi_callback_info info);

}  // namespace drey::node
