#include <algorithm>
#include <string>
#include <utility>

#include "io/env_posix.h"
#include "node/file_call.h"
#include "node/functions.h"

// Opening, closing and running a file store.
namespace drey::node {
namespace {

// What fileOpen is given, in this order; lib/native/addon.ts has the same list.
enum OpenNumber : uint32_t {
  kOpenMaxBytes,
  kOpenMaxIndexBytes,
  kOpenMaxItemBytes,
  kOpenSegmentBytes,
  kOpenPackLimit,
  kOpenChunkPower,
  kOpenMinFreeBytes,
  kOpenMinFreeShare,
  kOpenPartitions,
  kOpenDurability,
  kOpenFiles,
  kOpenReadThreads,
  kOpenPolicy,
  kOpenReclaimRate,
  kOpenNumbers
};

// What fileStats writes, in this order; lib/native/addon.ts has the same list.
enum StatNumber : uint32_t {
  kStatEntries,
  kStatBlobs,
  kStatBytes,
  kStatMaxBytes,
  kStatIndexBytes,
  kStatSegments,
  kStatEvictions,
  kStatExpirations,
  kStatCorrupt,
  kStatDiskErrors,
  kStatRefusals,
  kStatRoomRefusals,
  kStatReclaimed,
  kStatGivenBytes,
  kStatWrittenBytes,
  kStatClean,
  kStatMilliseconds,
  kStatRecovered,
  kStatReplayed,
  kStatTornBytes,
  kStatDamagedBytes,
  kStatOrphans,
  kStatDoubt,
  kStatNumbers
};

// What fileTune is given and fileTuning writes, in this order; lib/native/file-numbers.ts has the
// same list.
enum TuneNumber : uint32_t {
  kTuneMaxBytes,
  kTuneMaxIndexBytes,
  kTuneMaxItemBytes,
  kTuneMinFreeBytes,
  kTuneMinFreeShare,
  kTuneDurability,
  kTuneOpenFiles,
  kTuneReadThreads,
  kTunePolicy,
  kTuneReclaimRate,
  kTuneNumbers
};

// As lib/store/file/options.ts has them, in order.
constexpr file::TurnKind kPolicies[] = {file::TurnKind::kFifo, file::TurnKind::kLru,
                                        file::TurnKind::kLfu, file::TurnKind::kSieve,
                                        file::TurnKind::kS3Fifo};
constexpr file::Durability kDurabilities[] = {file::Durability::kNone, file::Durability::kProcess,
                                              file::Durability::kPower};

template <class T, size_t kCount>
double PlaceOf(const T (&list)[kCount], T value) noexcept {
  return static_cast<double>(std::find(std::begin(list), std::end(list), value) - std::begin(list));
}

uint64_t Whole(double value) noexcept {
  return value > 0 && value < 9007199254740992.0 ? static_cast<uint64_t>(value) : 0;
}

file::FileStoreOptions OptionsOf(std::string dir, std::span<const double> numbers) {
  file::FileStoreOptions options;
  options.dir = std::move(dir);
  options.max_bytes = Whole(numbers[kOpenMaxBytes]);
  options.max_index_bytes = Whole(numbers[kOpenMaxIndexBytes]);
  options.max_item_bytes = Whole(numbers[kOpenMaxItemBytes]);
  options.segment_bytes = Whole(numbers[kOpenSegmentBytes]);
  options.pack_limit = Whole(numbers[kOpenPackLimit]);
  options.chunk_power = static_cast<uint8_t>(Whole(numbers[kOpenChunkPower]));
  options.min_free_bytes = Whole(numbers[kOpenMinFreeBytes]);
  options.min_free_share = numbers[kOpenMinFreeShare];
  options.partitions = static_cast<uint32_t>(Whole(numbers[kOpenPartitions]));
  options.durability = kDurabilities[std::min<uint64_t>(Whole(numbers[kOpenDurability]), 2)];
  options.reclaim_rate = Whole(numbers[kOpenReclaimRate]);
  options.open_files = static_cast<uint32_t>(Whole(numbers[kOpenFiles]));
  options.policy = kPolicies[std::min<uint64_t>(Whole(numbers[kOpenPolicy]), 4)];
  options.title = std::string("drey ") + DREY_VERSION;
  options.env = &PosixEnv();
  return options;
}

// A failure of an open names the directory.
Status WithPath(Status status, const std::string& dir) {
  const std::string message = status.message();
  if (message.find(dir) != message.npos) return status;
  return Status::Failed(status.code(), dir + ": " + message, status.error());
}

// Work that has no executor yet, or none any more.
napi_value RunOnThread(napi_env env, Files& files, uint32_t id, const Files::Operation& operation,
                       std::function<void()> work) {
  Result<Thread> thread = Thread::Start("drey-open", Thread::Priority::kNormal, std::move(work));
  if (!thread.ok()) {
    files.Cancel(id);
    return Throw(env, thread.status());
  }
  operation->thread = thread.Take();
  return OperationValue(env, id);
}

napi_value Removing(napi_env env, napi_callback_info info, file::Drafts drafts) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::string_view> key = TextArgument(env, arguments[1], "key", files.KeySpace());
  if (!key.ok()) return Throw(env, key.status());
  return BeginWrite(env, files, [&](file::WriteDone end) {
    open->attached.directory->store().Delete(SliceOf(key.value()), drafts, std::move(end));
  });
}

}  // namespace

OpenFileStore* FileStoreArgument(napi_env env, Files& files, napi_value value) {
  const Result<uint32_t> number = Uint32Argument(env, value, "store");
  OpenFileStore* const store = number.ok() ? files.stores.Get(number.value()) : nullptr;
  if (store == nullptr) Throw(env, Status::InvalidArgument("store must be one that is open"));
  return store;
}

Files::Ending EndingOf(file::WriteOutcome outcome, Status* failure) {
  using Kind = file::WriteOutcome::Kind;
  Files::Ending ending{.first = outcome.existed ? uint64_t{1} : 0};
  switch (outcome.kind) {
    case Kind::kDone:
      ending.outcome = outcome.promised ? kPromised : kWritten;
      break;
    case Kind::kFenced:
      ending.outcome = kFencedOff;
      break;
    case Kind::kSuperseded:
      ending.outcome = kGone;
      break;
    case Kind::kTooLarge:
      ending.outcome = kTooLargeValue;
      break;
    case Kind::kFailed:
      ending.outcome = kNoRoomLeft;
      // Without an errno it was the store that found no room, not the system.
      if (outcome.status.code() != Status::Code::kNoSpace) {
        *failure = std::move(outcome.status);
      }
      break;
  }
  return ending;
}

file::WriteDone WriteEnd(Files& files, uint32_t id, const Files::Operation& operation) {
  return [operation, end = files.EndOf(id, operation)](file::WriteOutcome outcome) {
    end(EndingOf(std::move(outcome), &operation->failure));
  };
}

void RunOrRefuse(Files& files, uint32_t id, file::FileStore& store, Executor::LaneName lane,
                 const Files::Operation& operation, std::function<Files::Ending()> work) {
  const auto end = files.EndOf(id, operation);
  if (store.Run(lane, [work = std::move(work), end] { end(work()); })) return;
  operation->failure = Status::Failed(Status::Code::kClosed, "the file store is closed");
  end({});
}

void LetGo(file::FileStore& store, std::function<void()> work) {
  // Not copied for the call: what it holds is to go where it runs.
  const auto shared = std::make_shared<std::function<void()>>(std::move(work));
  const bool taken = store.Run(Executor::kWrite, [shared] {
    (*shared)();
    *shared = nullptr;
  });
  if (!taken) (*shared)();
}

napi_value FileAttach(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  napi_value numbers[2] = {};
  if (files.is_open() || files.Open(env, arguments[0], &numbers[0], &numbers[1]) != napi_ok) {
    return Throw(env, Status::InvalidArgument("receive must be a function, given once"));
  }
  // After the thread-safe function was made, so that it runs before that is taken apart.
  napi_add_env_cleanup_hook(
      env, [](void* of) { static_cast<Files*>(of)->Close(); }, &files);
  napi_value both = nullptr;
  napi_create_array_with_length(env, 2, &both);
  napi_set_element(env, both, 0, numbers[0]);
  napi_set_element(env, both, 1, numbers[1]);
  return both;
}

napi_value FileOpen(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  std::vector<char> space(8192);
  const Result<std::string_view> dir = TextArgument(env, arguments[0], "dir", space);
  if (!dir.ok()) return Throw(env, dir.status());
  const Result<std::span<double>> numbers =
      NumbersArgument(env, arguments[1], "numbers", kOpenNumbers);
  if (!numbers.ok()) return Throw(env, numbers.status());
  Files::Operation operation;
  const int64_t id = files.Begin(nullptr, {}, &operation);
  if (id < 0) return OperationValue(env, id);
  const auto threads = static_cast<uint32_t>(Whole(numbers.value()[kOpenReadThreads]));
  return RunOnThread(env, files, static_cast<uint32_t>(id), operation,
                     [operation, threads, end = files.EndOf(static_cast<uint32_t>(id), operation),
                      options = OptionsOf(std::string(dir.value()), numbers.value())] {
                       Result<file::FileRegistry::Attachment> attached =
                           file::OpenDirectories().Attach(options, std::max<uint32_t>(threads, 1));
                       if (attached.ok()) {
                         operation->attached = attached.Take();
                         operation->kept = true;
                       } else {
                         operation->failure = WithPath(attached.TakeStatus(), options.dir);
                       }
                       end({});
                     });
}

napi_value FileOpened(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  const Result<uint32_t> id = Uint32Argument(env, arguments[0], "operation");
  Files::Operation* const operation = id.ok() ? files.operations.Get(id.value()) : nullptr;
  if (operation == nullptr || *operation == nullptr || (*operation)->attached.slot == nullptr) {
    return Throw(env, Status::InvalidArgument("operation must be an open that ended"));
  }
  OpenFileStore open{.attached = std::exchange((*operation)->attached, {}), .drops = nullptr};
  const file::FileStoreOptions& options = open.attached.directory->store().options();
  files.Number(kFileStoreMaxItem) =
      static_cast<double>(open.attached.directory->store().max_item_bytes());
  files.Number(kFileStorePackLimit) = static_cast<double>(options.pack_limit);
  files.Number(kFileStoreChunkBytes) = static_cast<double>(uint64_t{1} << options.chunk_power);
  files.Number(kFileStoreMaxBytes) =
      static_cast<double>(open.attached.directory->store().tuning().max_bytes);
  files.Number(kFileStore) = files.stores.Add(std::move(open));
  files.Forget(id.value());
  return nullptr;
}

napi_value FileClose(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  Files::Operation operation;
  const int64_t id = files.Begin(nullptr, {}, &operation);
  if (id < 0) return OperationValue(env, id);
  files.StopListening(*open);
  files.ForgetAllOf(open->attached.directory->store());
  // Until the thread has it, it is the operation's, and an end of the environment gives it back.
  const auto attached = std::make_shared<file::FileRegistry::Attachment>(std::move(open->attached));
  files.stores.Remove(Uint32Argument(env, arguments[0], "store").value());
  return RunOnThread(
      env, files, static_cast<uint32_t>(id), operation,
      [operation, attached, end = files.EndOf(static_cast<uint32_t>(id), operation)] {
        operation->failure = file::OpenDirectories().Detach(std::move(*attached));
        end({});
      });
}

napi_value FileFailure(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  const Result<uint32_t> id = Uint32Argument(env, arguments[0], "operation");
  Files::Operation* const operation = id.ok() ? files.operations.Get(id.value()) : nullptr;
  if (operation == nullptr) {
    return Throw(env, Status::InvalidArgument("operation must be one that failed"));
  }
  const Status failure =
      *operation == nullptr ? files.FailureOf(id.value()) : std::move((*operation)->failure);
  napi_value said = nullptr;
  napi_create_array_with_length(env, 3, &said);
  napi_set_element(env, said, 0, Text(env, SliceOf(ErrorCode(failure.code()))));
  napi_set_element(env, said, 1, Text(env, SliceOf(failure.message())));
  napi_set_element(env, said, 2, Int(env, failure.error()));
  files.Forget(id.value());
  return said;
}

napi_value FileTuning(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::span<double>> out = NumbersArgument(env, arguments[1], "numbers", kTuneNumbers);
  if (!out.ok()) return Throw(env, out.status());
  const file::OpenDirectory& directory = *open->attached.directory;
  const file::FileTuning tuning = directory.store().tuning();
  const std::span<double> numbers = out.value();
  numbers[kTuneMaxBytes] = static_cast<double>(tuning.max_bytes);
  numbers[kTuneMaxIndexBytes] = static_cast<double>(tuning.max_index_bytes);
  numbers[kTuneMaxItemBytes] = static_cast<double>(tuning.max_item_bytes);
  numbers[kTuneMinFreeBytes] = static_cast<double>(tuning.min_free_bytes);
  numbers[kTuneMinFreeShare] = tuning.min_free_share;
  numbers[kTuneDurability] = PlaceOf(kDurabilities, tuning.durability);
  numbers[kTuneOpenFiles] = tuning.open_files;
  numbers[kTuneReadThreads] = directory.read_threads();
  numbers[kTunePolicy] = PlaceOf(kPolicies, tuning.policy);
  numbers[kTuneReclaimRate] = static_cast<double>(tuning.reclaim_rate);
  return nullptr;
}

napi_value FileTune(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::span<double>> given =
      NumbersArgument(env, arguments[1], "numbers", kTuneNumbers);
  if (!given.ok()) return Throw(env, given.status());
  const std::span<double> numbers = given.value();
  const file::FileTuning tuning{
      .max_bytes = Whole(numbers[kTuneMaxBytes]),
      .max_index_bytes = Whole(numbers[kTuneMaxIndexBytes]),
      .max_item_bytes = Whole(numbers[kTuneMaxItemBytes]),
      .min_free_bytes = Whole(numbers[kTuneMinFreeBytes]),
      .min_free_share = numbers[kTuneMinFreeShare],
      .policy = kPolicies[std::min<uint64_t>(Whole(numbers[kTunePolicy]), 4)],
      .durability = kDurabilities[std::min<uint64_t>(Whole(numbers[kTuneDurability]), 2)],
      .open_files = static_cast<uint32_t>(Whole(numbers[kTuneOpenFiles])),
      .reclaim_rate = Whole(numbers[kTuneReclaimRate])};
  const auto threads =
      std::max<uint32_t>(static_cast<uint32_t>(Whole(numbers[kTuneReadThreads])), 1);
  Files::Operation operation;
  const int64_t id = files.Begin(nullptr, {}, &operation);
  if (id < 0) return OperationValue(env, id);
  // Not on a lane: it may change their threads, and waits for the one that writes.
  return RunOnThread(env, files, static_cast<uint32_t>(id), operation,
                     [operation, directory = open->attached.directory, tuning, threads,
                      end = files.EndOf(static_cast<uint32_t>(id), operation)] {
                       operation->failure = directory->Tune(tuning, threads);
                       end({});
                     });
}

napi_value FileStats(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::span<double>> out = NumbersArgument(env, arguments[1], "numbers", kStatNumbers);
  if (!out.ok()) return Throw(env, out.status());
  const file::FileStore& store = open->attached.directory->store();
  const file::FileStore::Stats stats = store.stats();
  const file::Recovered& recovered = store.recovered();
  const auto set = [&](StatNumber number, uint64_t value) {
    out.value()[number] = static_cast<double>(value);
  };
  set(kStatEntries, stats.entries);
  set(kStatBlobs, stats.blobs);
  set(kStatBytes, stats.bytes);
  set(kStatMaxBytes, stats.max_bytes);
  set(kStatIndexBytes, stats.index_bytes);
  set(kStatSegments, stats.segments);
  set(kStatEvictions, stats.evictions);
  set(kStatExpirations, stats.expirations);
  set(kStatCorrupt, stats.corrupt);
  set(kStatDiskErrors, stats.read_errors + stats.write_errors);
  set(kStatRefusals, stats.refusals);
  set(kStatRoomRefusals, stats.room_refusals);
  set(kStatReclaimed, stats.reclaimed_segments);
  set(kStatGivenBytes, stats.bytes_given);
  set(kStatWrittenBytes, stats.bytes_written + stats.blob_bytes_written);
  set(kStatClean, recovered.clean ? 1 : 0);
  set(kStatMilliseconds, recovered.milliseconds);
  set(kStatRecovered, recovered.entries);
  set(kStatReplayed, recovered.records);
  set(kStatTornBytes, recovered.torn_bytes);
  set(kStatDamagedBytes, recovered.damaged_bytes);
  set(kStatOrphans, recovered.orphans);
  set(kStatDoubt, recovered.doubt);
  return nullptr;
}

napi_value FileTime(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenFileStore* const open = FileStoreArgument(env, arguments.environment().files, arguments[0]);
  if (open == nullptr) return nullptr;
  double now = 0;
  if (napi_get_value_double(env, arguments[1], &now) != napi_ok) {
    return Throw(env, Status::InvalidArgument("now must be a number"));
  }
  open->attached.directory->store().TellTime(now);
  return nullptr;
}

napi_value FileListen(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  if (!BoolArgument(env, arguments[1])) {
    files.StopListening(*open);
    return nullptr;
  }
  if (open->drops == nullptr) files.StartListening(*open);
  return open->drops == nullptr ? OperationValue(env, -1)
                                : OperationValue(env, open->drops_operation);
}

napi_value FileDropped(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr || open->drops == nullptr || !files.Rearm()) return nullptr;
  napi_value list = nullptr;
  napi_create_array(env, &list);
  uint32_t at = 0;
  for (const auto& [key, why] : open->drops->Take()) {
    napi_set_element(env, list, at++, Text(env, SliceOf(key)));
    napi_set_element(env, list, at++, Int(env, static_cast<int32_t>(why)));
  }
  return list;
}

napi_value FileClear(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  return BeginWrite(env, files, [open](file::WriteDone end) {
    open->attached.directory->store().Clear(std::move(end));
  });
}

napi_value FileFlush(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  return BeginWrite(env, files, [open](file::WriteDone end) {
    open->attached.directory->store().Flush(std::move(end));
  });
}

napi_value FileCheckpoint(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  Files::Operation operation;
  const int64_t id = files.Begin(nullptr, {}, &operation);
  if (id < 0) return OperationValue(env, id);
  const std::shared_ptr<file::FileStore>& store = open->attached.directory->share();
  RunOrRefuse(files, static_cast<uint32_t>(id), *store, Executor::kMaintenance, operation,
              [store, operation]() -> Files::Ending {
                operation->failure = store->Checkpoint();
                return {};
              });
  return OperationValue(env, id);
}

napi_value FileDelete(napi_env env, napi_callback_info info) {
  return Removing(env, info, file::Drafts::kFenced);
}

napi_value FileDiscard(napi_env env, napi_callback_info info) {
  return Removing(env, info, file::Drafts::kSpared);
}

napi_value FileRevise(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Files& files = arguments.environment().files;
  OpenFileStore* const open = FileStoreArgument(env, files, arguments[0]);
  if (open == nullptr) return nullptr;
  const Result<std::string_view> key = TextArgument(env, arguments[1], "key", files.KeySpace());
  if (!key.ok()) return Throw(env, key.status());
  const Result<uint64_t> sequence = CountArgument(env, arguments[2], "sequence");
  if (!sequence.ok()) return Throw(env, sequence.status());
  const Result<Slice> metadata = BytesArgument(env, arguments[3], "metadata");
  if (!metadata.ok()) return Throw(env, metadata.status());
  return BeginWrite(env, files, [&](file::WriteDone end) {
    open->attached.directory->store().Revise(SliceOf(key.value()), sequence.value(),
                                             metadata.value(), std::move(end));
  });
}

}  // namespace drey::node
