#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "core/crc32c/crc32c.h"
#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"

// A read of a file in a thread of libuv, with the checksum taken while the bytes are still in the
// processor's caches, and not on the event loop.
namespace drey::node {
namespace {

// What is read and checked at once: half of a small second-level cache.
constexpr size_t kStep = size_t{128} << 10;
// What `done` is told instead of a number of bytes.
constexpr double kFailed = -1;

// One read, from the call until `done` was called. The target is held by a reference, so that the
// collector leaves its memory where it is.
struct Reading {
  crc32c::Implementation by;
  int descriptor;
  uint8_t* at;
  size_t size;
  uint32_t checksum;
  double bytes = 0;
  napi_async_work work = nullptr;
  napi_ref target = nullptr;
  napi_ref done = nullptr;
};

// Until the target is full or a read gives less than was asked for, which is the end of a file, or
// all that a pipe has just now.
void Run(napi_env, void* data) {
  Reading& reading = *static_cast<Reading*>(data);
  size_t filled = 0;
  while (filled < reading.size) {
    const size_t wanted = std::min(kStep, reading.size - filled);
    ssize_t got = 0;
    do {
      got = read(reading.descriptor, reading.at + filled, wanted);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
      // What was read before stands; the next read will tell.
      if (filled == 0) reading.bytes = kFailed;
      break;
    }
    reading.checksum =
        reading.by.Extend(reading.checksum, Slice{reading.at + filled, static_cast<size_t>(got)});
    filled += static_cast<size_t>(got);
    if (static_cast<size_t>(got) < wanted) break;
  }
  if (filled > 0) reading.bytes = static_cast<double>(filled);
}

void Release(napi_env env, Reading* reading) noexcept {
  if (reading->target != nullptr) napi_delete_reference(env, reading->target);
  if (reading->done != nullptr) napi_delete_reference(env, reading->done);
  if (reading->work != nullptr) napi_delete_async_work(env, reading->work);
  delete reading;
}

// On the loop; `status` is napi_cancelled where the environment ends first.
void Complete(napi_env env, napi_status status, void* data) {
  Reading* const reading = static_cast<Reading*>(data);
  napi_value done = nullptr;
  napi_value receiver = nullptr;
  napi_value arguments[2] = {};
  if (status == napi_ok && napi_get_reference_value(env, reading->done, &done) == napi_ok &&
      napi_get_undefined(env, &receiver) == napi_ok &&
      napi_create_double(env, reading->bytes, &arguments[0]) == napi_ok &&
      napi_create_uint32(env, reading->checksum, &arguments[1]) == napi_ok) {
    // `done` settles a promise and throws nothing.
    napi_call_function(env, receiver, done, 2, arguments, nullptr);
  }
  Release(env, reading);
}

}  // namespace

napi_value ReadChecked(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  const Result<uint32_t> descriptor = Uint32Argument(env, arguments[0], "fd");
  if (!descriptor.ok()) return Throw(env, descriptor.status());
  const Result<Slice> target = BytesArgument(env, arguments[1], "target");
  if (!target.ok()) return Throw(env, target.status());
  const Result<uint32_t> seed = Uint32Argument(env, arguments[2], "seed");
  if (!seed.ok()) return Throw(env, seed.status());

  auto* const reading = new Reading{
      .by = arguments.environment().crc32c,
      .descriptor = static_cast<int>(descriptor.value()),
      // The caller gave it to be written.
      .at = const_cast<uint8_t*>(target.value().data()),
      .size = target.value().size(),
      .checksum = seed.value(),
  };
  napi_value name = nullptr;
  if (napi_create_string_utf8(env, "drey.readChecked", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_create_reference(env, arguments[1], 1, &reading->target) != napi_ok ||
      napi_create_reference(env, arguments[3], 1, &reading->done) != napi_ok ||
      napi_create_async_work(env, nullptr, name, Run, Complete, reading, &reading->work) !=
          napi_ok ||
      napi_queue_async_work(env, reading->work) != napi_ok) {
    Release(env, reading);
    return Throw(env, Status::InvalidArgument("readChecked: the environment is ending"));
  }
  return nullptr;
}

}  // namespace drey::node
