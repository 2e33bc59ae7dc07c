#include <algorithm>
#include <utility>

#include "node/file_call.h"
#include "node/functions.h"

// Scans of a file store, in pages.
namespace drey::node {
namespace {

constexpr size_t kPage = 128;

// True when there is more. On a thread of the store; one page at a time.
bool NextPage(FileScanState& scan, FileListing& listing) {
  std::vector<uint8_t> buffer;
  while (listing.items.size() < kPage) {
    if (scan.at == scan.entries.size()) {
      if (scan.shard == file::DiskIndex::kShards) return false;
      scan.entries = scan.store->Scan(scan.shard++);
      scan.at = 0;
      // In the order of the log, for the disk's sake.
      std::sort(scan.entries.begin(), scan.entries.end(),
                [](const file::IndexEntry& a, const file::IndexEntry& b) {
                  return a.position < b.position;
                });
      continue;
    }
    file::RecordHead head;
    if (!scan.store->ReadHeadAt(scan.entries[scan.at++], buffer, &head)) continue;
    listing.items.push_back({.key = {head.key.begin(), head.key.end()},
                             .metadata = {head.metadata.begin(), head.metadata.end()},
                             .size = head.size,
                             .doubtful = head.sequence < scan.store->doubt()});
  }
  return true;
}

}  // namespace

napi_value FileScan(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  auto scan = std::make_shared<FileScanState>();
  scan->store = open->attached.directory->share();
  return Double(env, files.scans.Add(std::move(scan)));
}

napi_value FileScanNext(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  const Result<uint32_t> number = Uint32Argument(env, arguments[0], "scan");
  std::shared_ptr<FileScanState>* const scan =
      number.ok() ? files.scans.Get(number.value()) : nullptr;
  if (scan == nullptr) return Throw(env, Status::InvalidArgument("scan must be one that is open"));
  Files::Operation operation;
  const int64_t id = files.Begin(nullptr, {}, &operation);
  if (id < 0) return OperationValue(env, id);
  RunOrRefuse(files, static_cast<uint32_t>(id), *(*scan)->store, Executor::kRead, operation,
              [from = *scan, operation]() -> Files::Ending {
                const bool more = NextPage(*from, operation->listing);
                operation->kept = true;
                return {.first = operation->listing.items.size(), .second = more ? 1U : 0U};
              });
  return OperationValue(env, id);
}

napi_value FilePage(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  const Result<uint32_t> id = Uint32Argument(env, arguments[0], "operation");
  Files::Operation* const found = id.ok() ? files.operations.Get(id.value()) : nullptr;
  if (found == nullptr || *found == nullptr) {
    return Throw(env, Status::InvalidArgument("operation must be a page that was read"));
  }
  const Files::Operation operation = *found;
  napi_value list = nullptr;
  napi_create_array(env, &list);
  uint32_t at = 0;
  for (const FileListing::Item& item : operation->listing.items) {
    napi_value metadata = nullptr;
    void* copied = nullptr;
    napi_create_buffer_copy(env, item.metadata.size(), item.metadata.data(), &copied, &metadata);
    napi_set_element(env, list, at++, Text(env, item.key));
    napi_set_element(env, list, at++, Count(env, item.size));
    napi_set_element(env, list, at++, Boolean(env, item.doubtful));
    napi_set_element(env, list, at++, metadata);
  }
  files.Forget(id.value());
  return list;
}

napi_value FileScanEnd(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Result<uint32_t> number = Uint32Argument(env, arguments[0], "scan");
  if (number.ok()) arguments.environment().files.scans.Remove(number.value());
  return nullptr;
}

}  // namespace drey::node
