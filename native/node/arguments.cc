#include "node/arguments.h"

#include <string>

namespace drey::node {
namespace {

Status Expected(const char* name, const std::string& what) {
  return Status::InvalidArgument(std::string(name) + " must be " + what);
}

struct View {
  void* data;
  size_t length;
};

// False if `value` is no typed array of this type.
bool TypedArray(napi_env env, napi_value value, napi_typedarray_type wanted, View& view) noexcept {
  napi_typedarray_type type{};
  const napi_status status =
      napi_get_typedarray_info(env, value, &type, &view.length, &view.data, nullptr, nullptr);
  return status == napi_ok && type == wanted;
}

}  // namespace

Result<Slice> BytesArgument(napi_env env, napi_value value, const char* name) {
  View view{};
  if (!TypedArray(env, value, napi_uint8_array, view)) return Expected(name, "a Uint8Array");
  return Slice(static_cast<const uint8_t*>(view.data), view.length);
}

Result<std::span<double>> NumbersArgument(napi_env env, napi_value value, const char* name,
                                          size_t count) {
  View view{};
  if (!TypedArray(env, value, napi_float64_array, view) || view.length < count) {
    return Status::InvalidArgument(std::string(name) + " must be a Float64Array of at least " +
                                   std::to_string(count) + " elements");
  }
  return std::span(static_cast<double*>(view.data), view.length);
}

Result<uint32_t> Uint32Argument(napi_env env, napi_value value, const char* name) {
  uint32_t number = 0;
  if (napi_get_value_uint32(env, value, &number) != napi_ok) return Expected(name, "a number");
  return number;
}

Result<std::string_view> TextArgument(napi_env env, napi_value value, const char* name,
                                      std::span<char> space) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, space.data(), space.size(), &length) != napi_ok) {
    return Expected(name, "a string");
  }
  // Node cuts what does not fit, at the border of a character of up to four bytes, and adds a zero.
  // Only a text that comes that close to the end has to be measured.
  if (length + 4 >= space.size()) {
    size_t whole = 0;
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &whole) != napi_ok || whole != length) {
      return Status::InvalidKey(std::string(name) + " is " + std::to_string(whole) +
                                " bytes in UTF-8; at most " + std::to_string(space.size() - 1) +
                                " are allowed");
    }
  }
  return std::string_view(space.data(), length);
}

Result<uint64_t> CountArgument(napi_env env, napi_value value, const char* name) {
  constexpr double kMost = 9007199254740991;  // 2^53 - 1
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || !(number >= 0 && number <= kMost)) {
    return Expected(name, "a number from 0 to 2^53 - 1");
  }
  return static_cast<uint64_t>(number);
}

bool BoolArgument(napi_env env, napi_value value) noexcept {
  bool is = false;
  return napi_get_value_bool(env, value, &is) == napi_ok && is;
}

Status OptionalTextArgument(napi_env env, napi_value value, const char* name, std::string& space,
                            bool& given) {
  given = false;
  space.clear();
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  if (type == napi_undefined) return {};
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    return Expected(name, "a string or undefined");
  }
  // One more for the zero that Node puts at the end.
  space.resize(length + 1);
  napi_get_value_string_utf8(env, value, space.data(), space.size(), &length);
  space.resize(length);
  given = true;
  return {};
}

Result<std::span<uint32_t>> WordsArgument(napi_env env, napi_value value, const char* name,
                                          size_t count) {
  View view{};
  if (!TypedArray(env, value, napi_uint32_array, view) || view.length < count) {
    return Expected(name, "a Uint32Array of at least " + std::to_string(count) + " elements");
  }
  return std::span<uint32_t>(static_cast<uint32_t*>(view.data), view.length);
}

}  // namespace drey::node
