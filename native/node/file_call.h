#pragma once

#include <utility>

#include "node/arguments.h"
#include "node/error.h"
#include "node/files.h"
#include "node/values.h"

// What the functions of the file store share.
namespace drey::node {

// Null when the number is none of a store's; then a TypeError is pending.
OpenFileStore* FileStoreArgument(napi_env env, Files& files, napi_value value);

// -1 when nothing was begun.
inline napi_value OperationValue(napi_env env, int64_t id) noexcept {
  return Double(env, static_cast<double>(id));
}

// The ending of an operation that writes.
file::WriteDone WriteEnd(Files& files, uint32_t id, const Files::Operation& operation);
// Begins an operation that writes: `start` is given what tells its end, unless nothing was begun.
template <class Start>
napi_value BeginWrite(napi_env env, Files& files, Start start) {
  Files::Operation operation;
  const int64_t id = files.Begin(nullptr, {}, &operation);
  if (id >= 0) start(WriteEnd(files, static_cast<uint32_t>(id), operation));
  return OperationValue(env, id);
}
// Has the store do it, which is told as the end of the operation; or ends it at once, when the
// store is closed.
void RunOrRefuse(Files& files, uint32_t id, file::FileStore& store, Executor::LaneName lane,
                 const Files::Operation& operation, std::function<Files::Ending()> work);
// Does it where what is given up may wait for a disk; here, when the store is closed.
void LetGo(file::FileStore& store, std::function<void()> work);

}  // namespace drey::node
