#include "node/values.h"

namespace drey::node {

napi_value Int(napi_env env, int32_t value) noexcept {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value Double(napi_env env, double value) noexcept {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value Boolean(napi_env env, bool value) noexcept {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value Text(napi_env env, Slice text) noexcept {
  napi_value result = nullptr;
  napi_create_string_utf8(env, reinterpret_cast<const char*>(text.data()), text.size(), &result);
  return result;
}

}  // namespace drey::node
