#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"
#include "node/memory_arguments.h"

// Large values: entries that were opened, and drafts that are being written.
namespace drey::node {
namespace {

// What part of the arena JavaScript sees as one ArrayBuffer. Pages never lie in two of them.
constexpr uint64_t kSpanBytes = 4 * 1024 * 1024;

// Says where a view lies in the arena; its size is 0 at the end, and -1 when it is somewhere else
// and has to be copied.
napi_value PutView(const MemoryStore& store, Slice view, Memory& memory) noexcept {
  const uint8_t* const base = store.arena_base();
  const auto at = static_cast<uint64_t>(view.data() - base);
  const bool inside = view.data() >= base && at < store.arena_reserved();
  memory.Number(kViewAt) = inside ? static_cast<double>(at) : 0;
  memory.Number(kViewSize) = view.empty() ? 0 : (inside ? static_cast<double>(view.size()) : -1.0);
  return nullptr;
}

napi_value ReadFrom(napi_env env, const auto& source, napi_value target, napi_value position) {
  const Result<Slice> bytes = BytesArgument(env, target, "target");
  if (!bytes.ok()) return Throw(env, bytes.status());
  const Result<uint64_t> from = CountArgument(env, position, "position");
  if (!from.ok()) return Throw(env, from.status());
  return Count(env, source.Read(from.value(), {const_cast<uint8_t*>(bytes.value().data()),
                                               bytes.value().size()}));
}

}  // namespace

napi_value MemorySpan(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const Result<uint64_t> index = CountArgument(env, arguments[1], "index");
  if (!index.ok()) return Throw(env, index.status());
  const uint64_t reserved = open->store->arena_reserved();
  if (index.value() >= (reserved + kSpanBytes - 1) / kSpanBytes) {
    return Throw(env, Status::InvalidArgument("index is beyond the arena"));
  }
  const uint64_t at = index.value() * kSpanBytes;
  // The addresses stay reserved for as long as JavaScript may look at them. A share of the store,
  // not of the attachment to it: whether it is open is not the collector's to say.
  auto* const share = new std::shared_ptr<MemoryStore>(open->store->shared_from_this());
  napi_value span = nullptr;
  const napi_status status = napi_create_external_arraybuffer(
      env, const_cast<uint8_t*>(open->store->arena_base()) + at,
      std::min(kSpanBytes, reserved - at),
      [](napi_env, void*, void* of) { delete static_cast<std::shared_ptr<MemoryStore>*>(of); },
      share, &span);
  if (status != napi_ok) {
    // An engine that allows no external memory: the caller copies.
    delete share;
    return nullptr;
  }
  return span;
}

napi_value EntryView(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const EntryRef* entry = EntryArgument(env, arguments[1], memory);
  if (entry == nullptr) return nullptr;
  const Result<uint64_t> position = CountArgument(env, arguments[2], "position");
  if (!position.ok()) return Throw(env, position.status());
  return PutView(*open->store, entry->View(position.value()), memory);
}

napi_value EntryRead(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  const EntryRef* entry = EntryArgument(env, arguments[0], arguments.environment().memory);
  return entry == nullptr ? nullptr : ReadFrom(env, *entry, arguments[1], arguments[2]);
}

napi_value EntryClose(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Result<uint32_t> handle = Uint32Argument(env, arguments[0], "entry");
  if (!handle.ok()) return Throw(env, handle.status());
  arguments.environment().memory.entries.Remove(handle.value());
  return nullptr;
}

napi_value DraftBegin(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const KeyArgument key(env, arguments[1], memory);
  if (!key.ok()) return nullptr;
  uint64_t declared = 0;
  if (!DeclaredArgument(env, arguments[2], declared)) return nullptr;
  std::shared_ptr<Draft> draft = open->store->Begin(key.key(), declared, memory.owner());
  if (draft == nullptr) return Int(env, -1);
  return Int(env, static_cast<int32_t>(memory.drafts.Add(std::move(draft))));
}

napi_value DraftWrite(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  const auto* draft = DraftArgument(env, arguments[0], arguments.environment().memory);
  if (draft == nullptr) return nullptr;
  const Result<Slice> bytes = BytesArgument(env, arguments[1], "bytes");
  if (!bytes.ok()) return Throw(env, bytes.status());
  return Int(
      env, static_cast<int32_t>((*draft)->Append(bytes.value(), BoolArgument(env, arguments[2]))));
}

napi_value DraftCommit(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const auto* draft = DraftArgument(env, arguments[0], memory);
  if (draft == nullptr) return nullptr;
  Metadata metadata;
  const Status status = MetadataArgument(env, arguments[1], arguments[2], memory, metadata);
  if (!status.ok()) return Throw(env, status);
  return Int(env,
             static_cast<int32_t>((*draft)->Commit(metadata, BoolArgument(env, arguments[3]))));
}

// Parts of three: a draft, its etag and its user; their times are five numbers each.
napi_value DraftCommitAll(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  uint32_t given = 0;
  napi_typedarray_type type{};
  size_t numbers = 0;
  void* times = nullptr;
  if (napi_get_array_length(env, arguments[1], &given) != napi_ok ||
      napi_get_typedarray_info(env, arguments[2], &type, &numbers, &times, nullptr, nullptr) !=
          napi_ok ||
      type != napi_float64_array || given % 3 != 0 || numbers / 5 < given / 3) {
    return Throw(
        env, Status::InvalidArgument("parts must be an array of three for each draft, and times a "
                                     "Float64Array of five for each"));
  }
  struct Text {
    std::string etag;
    std::string user;
  };
  std::vector<MemoryStore::Together> parts(given / 3);
  // The slices of the metadata are of them.
  std::vector<Text> texts(parts.size());
  for (uint32_t at = 0; at < parts.size(); at++) {
    napi_value three[3] = {};
    for (uint32_t which = 0; which < 3; which++) {
      napi_get_element(env, arguments[1], at * 3 + which, &three[which]);
    }
    const auto* draft = DraftArgument(env, three[0], memory);
    if (draft == nullptr) return nullptr;
    parts[at].draft = *draft;
    Metadata& metadata = parts[at].metadata;
    auto& [etag, user] = texts[at];
    Status status = OptionalTextArgument(env, three[1], "etag", etag, metadata.has_etag);
    if (status.ok()) {
      status = OptionalTextArgument(env, three[2], "user", user, metadata.has_user);
    }
    if (!status.ok()) return Throw(env, status);
    const double* const of = static_cast<const double*>(times) + size_t{at} * 5;
    metadata.cached_at = of[0];
    metadata.fresh_until = of[1];
    metadata.stale_until = of[2];
    metadata.stale_if_error_until = of[3];
    metadata.negative = of[4] != 0;
    metadata.etag = SliceOf(etag);
    metadata.user = SliceOf(user);
  }
  return Boolean(env, open->store->CommitAll(parts));
}

napi_value MemoryBatches(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  if (BoolArgument(env, arguments[1])) open->store->HoldOff();
  return Count(env, open->store->batches());
}

napi_value DraftAbort(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto* draft = DraftArgument(env, arguments[0], arguments.environment().memory);
  if (draft != nullptr) (*draft)->Abort();
  return nullptr;
}

napi_value DraftView(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  const OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const auto* draft = DraftArgument(env, arguments[1], memory);
  if (draft == nullptr) return nullptr;
  const Result<uint64_t> position = CountArgument(env, arguments[2], "position");
  if (!position.ok()) return Throw(env, position.status());
  return PutView(*open->store, (*draft)->View(position.value()), memory);
}

napi_value DraftRead(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  const auto* draft = DraftArgument(env, arguments[0], arguments.environment().memory);
  return draft == nullptr ? nullptr : ReadFrom(env, **draft, arguments[1], arguments[2]);
}

napi_value DraftSize(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const auto* draft = DraftArgument(env, arguments[0], arguments.environment().memory);
  return draft == nullptr ? nullptr : Count(env, (*draft)->size());
}

napi_value DraftClose(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  const Result<uint32_t> handle = Uint32Argument(env, arguments[0], "draft");
  if (!handle.ok()) return Throw(env, handle.status());
  arguments.environment().memory.drafts.Remove(handle.value());
  return nullptr;
}

}  // namespace drey::node
