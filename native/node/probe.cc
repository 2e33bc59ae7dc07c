#include <array>
#include <cerrno>
#include <string>

#include "io/env_posix.h"
#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"

// What the file system can do for the file store, asked of the calls that the store itself makes.
namespace drey::node {
namespace {

// Longer than any path that a system takes.
constexpr size_t kPathSpace = 4097;
constexpr size_t kFeatures = 2;

}  // namespace

napi_value FileFeatures(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  std::array<char, kPathSpace> space;
  const Result<std::string_view> path = TextArgument(env, arguments[0], "path", space);
  if (!path.ok()) return Throw(env, path.status());
  const Result<std::span<double>> out = NumbersArgument(env, arguments[1], "out", kFeatures);
  if (!out.ok()) return Throw(env, out.status());

  Env& system = PosixEnv();
  const std::string name(path.value());
  const Outcome file = system.OpenFile(Env::kHere, name.c_str(), Env::Access::kReadWrite);
  double cached = file.error();
  double allocated = file.error();
  if (file.ok()) {
    const int descriptor = static_cast<int>(file.value());
    std::array<uint8_t, 1> byte{};
    cached = system.ReadCached(descriptor, 0, byte).error();
    // The byte is there, but not in the cache: the system was able to say so.
    if (cached == EAGAIN) cached = 0;
    allocated = system.Allocate(descriptor, 0, 65536, Env::Allocation::kExtend).error();
    static_cast<void>(system.Close(descriptor).ok());
  }
  out.value()[0] = cached;
  out.value()[1] = allocated;
  return nullptr;
}

}  // namespace drey::node
