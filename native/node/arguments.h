#pragma once

#include <node_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/slice.h"
#include "core/status.h"
#include "node/environment.h"

namespace drey::node {

// The arguments of one call, read raw: this is the path of calls that take some tens of nanoseconds
// in all.
//
// lib/native checks what a user gave and words the complaint; here is checked again only what would
// otherwise read or write memory that is not ours. `name` is the argument as those complaints call
// it. What is returned is valid until the call returns, and no JavaScript runs meanwhile.
template <size_t kCount>
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) noexcept : env_(env) {
    size_t count = kCount;
    void* data = nullptr;
    // Node fills what was not given with undefined. It refuses only a null pointer.
    napi_get_cb_info(env, info, &count, values_.data(), nullptr, &data);
    environment_ = static_cast<Environment*>(data);
  }

  napi_env env() const noexcept { return env_; }
  Environment& environment() const noexcept { return *environment_; }
  napi_value operator[](size_t index) const noexcept { return values_[index]; }

 private:
  napi_env env_;
  Environment* environment_ = nullptr;
  std::array<napi_value, kCount> values_{};
};

// A Uint8Array (a Buffer is one), over plain or shared memory. One whose memory was detached is
// empty.
Result<Slice> BytesArgument(napi_env env, napi_value value, const char* name);

// A Float64Array of at least `count` numbers, which may be written to.
Result<std::span<double>> NumbersArgument(napi_env env, napi_value value, const char* name,
                                          size_t count);

// A number; taken modulo 2^32 as JavaScript's own operators on 32 bits do.
Result<uint32_t> Uint32Argument(napi_env env, napi_value value, const char* name);

// A string in UTF-8, copied to `space`; one that does not fit is refused. Lone surrogates become
// U+FFFD.
Result<std::string_view> TextArgument(napi_env env, napi_value value, const char* name,
                                      std::span<char> space);

// A finite number of bytes, or of something else that is not negative and a double counts exactly.
Result<uint64_t> CountArgument(napi_env env, napi_value value, const char* name);

// Whether the value is true.
bool BoolArgument(napi_env env, napi_value value) noexcept;

// A string in UTF-8, copied to `space`, which grows; or undefined, which is not `given`.
Status OptionalTextArgument(napi_env env, napi_value value, const char* name, std::string& space,
                            bool& given);

// A Uint32Array of at least `count` elements, to be written.
Result<std::span<uint32_t>> WordsArgument(napi_env env, napi_value value, const char* name,
                                          size_t count);

}  // namespace drey::node
