#include <string>

#include "core/crc32c/crc32c.h"
#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"

namespace drey::node {
namespace {

napi_value Checksum(napi_env env, const crc32c::Implementation& by, napi_value bytes_value,
                    napi_value seed_value) {
  const Result<Slice> bytes = BytesArgument(env, bytes_value, "bytes");
  if (!bytes.ok()) return Throw(env, bytes.status());
  const Result<uint32_t> seed = Uint32Argument(env, seed_value, "seed");
  if (!seed.ok()) return Throw(env, seed.status());

  napi_value checksum = nullptr;
  napi_create_uint32(env, by.Extend(seed.value(), bytes.value()), &checksum);
  return checksum;
}

}  // namespace

napi_value Crc32c(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  return Checksum(env, arguments.environment().crc32c, arguments[0], arguments[1]);
}

napi_value Crc32cBy(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  char space[32];
  const Result<std::string_view> name = TextArgument(env, arguments[0], "name", space);
  if (!name.ok()) return Throw(env, name.status());

  std::string known;
  for (const crc32c::Implementation& implementation : crc32c::Implementations()) {
    if (implementation.name == name.value()) {
      return Checksum(env, implementation, arguments[1], arguments[2]);
    }
    known.append(known.empty() ? "" : ", ").append(implementation.name);
  }
  return Throw(env, Status::InvalidArgument("name is '" + std::string(name.value()) +
                                            "'; this processor runs: " + known));
}

}  // namespace drey::node
