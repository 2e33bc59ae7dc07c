#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "node/arguments.h"
#include "node/error.h"
#include "node/file_call.h"
#include "node/functions.h"
#include "node/memory_arguments.h"

// What was invalidated by tag, of stores that threads share.
namespace drey::node {
namespace {

// What memoryTags and fileTags write, in this order; lib/native/numbers.ts has the same list.
enum TagNumber : uint32_t { kTagsVersion, kTagsSequence, kTagsLatest, kTagNumbers };

// Of each floor that is given or taken.
constexpr size_t kFloorNumbers = 3;

uint64_t Whole(double value) noexcept {
  return value > 0 && value <= static_cast<double>(TagFloors::kMostSequence)
             ? static_cast<uint64_t>(value)
             : 0;
}

// Tags are lines, an empty one the base, with three numbers each: hard, soft, at.
Status FloorsArguments(napi_env env, napi_value tags, napi_value numbers,
                       std::vector<TagFloor>* floors) {
  std::string text;
  bool given = false;
  if (Status read = OptionalTextArgument(env, tags, "tags", text, given); !read.ok()) return read;
  const Result<std::span<double>> all = NumbersArgument(env, numbers, "floors", 0);
  if (!all.ok()) return Status::InvalidArgument(all.status().message());
  std::span<double> left = all.value();
  std::string_view rest = text;
  while (left.size() >= kFloorNumbers) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    floors->push_back({.tag = std::string(rest.substr(0, end)),
                       .hard = Whole(left[0]),
                       .soft = Whole(left[1]),
                       .at = left[2]});
    rest.remove_prefix(std::min(end + 1, rest.size()));
    left = left.subspan(kFloorNumbers);
  }
  return {};
}

napi_value ListOf(napi_env env, const std::vector<TagFloor>& floors) {
  napi_value list = nullptr;
  napi_create_array_with_length(env, floors.size() * 4, &list);
  uint32_t at = 0;
  for (const TagFloor& floor : floors) {
    napi_set_element(env, list, at++, Text(env, SliceOf(floor.tag)));
    napi_set_element(env, list, at++, Count(env, floor.hard));
    napi_set_element(env, list, at++, Count(env, floor.soft));
    napi_set_element(env, list, at++, Double(env, floor.at));
  }
  return list;
}

template <class Tags>
void Add(Tags& tags, std::span<const TagFloor> floors, uint64_t sequence, bool fresh) {
  if (fresh) {
    tags.Invalidate(floors, sequence);
  } else {
    tags.Join(floors, sequence);
  }
}

}  // namespace

napi_value MemoryTags(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const Result<std::span<double>> out = NumbersArgument(env, arguments[1], "numbers", kTagNumbers);
  if (!out.ok()) return Throw(env, out.status());
  const SharedTags& tags = open->store->tags();
  // First, so that what it counts is in what is asked for after it.
  out.value()[kTagsVersion] = static_cast<double>(tags.version());
  out.value()[kTagsSequence] = static_cast<double>(tags.sequence());
  out.value()[kTagsLatest] = out.value()[kTagsSequence];
  return nullptr;
}

napi_value MemoryTagsSince(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const Result<uint64_t> version = CountArgument(env, arguments[1], "version");
  if (!version.ok()) return Throw(env, version.status());
  return ListOf(env, open->store->tags().Since(version.value()));
}

napi_value MemoryTagsAdd(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  std::vector<TagFloor> floors;
  const Status read = FloorsArguments(env, arguments[1], arguments[2], &floors);
  if (!read.ok()) return Throw(env, read);
  const Result<uint64_t> sequence = CountArgument(env, arguments[3], "sequence");
  if (!sequence.ok()) return Throw(env, sequence.status());
  Add(open->store->tags(), floors, sequence.value(), BoolArgument(env, arguments[4]));
  open->store->Settle();
  return nullptr;
}

napi_value FileTags(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenFileStore* const open = FileStoreArgument(env, arguments.environment().files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::span<double>> out = NumbersArgument(env, arguments[1], "numbers", kTagNumbers);
  if (!out.ok()) return Throw(env, out.status());
  const file::TagLog& tags = open->attached.directory->store().tags();
  out.value()[kTagsVersion] = static_cast<double>(tags.version());
  out.value()[kTagsSequence] = static_cast<double>(tags.kept());
  out.value()[kTagsLatest] = static_cast<double>(tags.sequence());
  return nullptr;
}

napi_value FileTagsSince(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenFileStore* const open = FileStoreArgument(env, arguments.environment().files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<uint64_t> version = CountArgument(env, arguments[1], "version");
  if (!version.ok()) return Throw(env, version.status());
  return ListOf(env, open->attached.directory->store().tags().Since(version.value()));
}

napi_value FileTagsAdd(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  std::vector<TagFloor> floors;
  const Status read = FloorsArguments(env, arguments[1], arguments[2], &floors);
  if (!read.ok()) return Throw(env, read);
  const Result<uint64_t> sequence = CountArgument(env, arguments[3], "sequence");
  if (!sequence.ok()) return Throw(env, sequence.status());
  Files::Operation operation;
  const int64_t id = files.Begin(nullptr, {}, &operation);
  // Too many at once: the caller comes again, and it is invalidated then.
  if (id < 0) return OperationValue(env, id);
  file::FileStore& store = open->attached.directory->store();
  Add(store.tags(), floors, sequence.value(), BoolArgument(env, arguments[4]));
  // Where changes are written, too: one after the other.
  RunOrRefuse(files, static_cast<uint32_t>(id), store, Executor::kWrite, operation,
              [&store, operation]() -> Files::Ending {
                operation->failure = store.tags().Keep();
                return {};
              });
  return OperationValue(env, id);
}

}  // namespace drey::node
