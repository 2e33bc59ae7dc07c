#include <cmath>
#include <cstring>
#include <string>

#include "node/arguments.h"
#include "node/error.h"
#include "node/functions.h"
#include "node/memory_arguments.h"

// A memory store, from opening to closing, and what is done in one call to the entry of a key.
namespace drey::node {
namespace {

// Larger values are opened, and not copied at once: IN_HAND of lib/store/store.ts.
constexpr uint64_t kInHand = 64 * 1024;

enum Found : int32_t { kMiss, kCopied, kBlockFull, kOpened, kMustCopy };

double SystemTime(void*) noexcept {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<double>(time.tv_sec) * 1000 + static_cast<double>(time.tv_nsec / 1000000);
}

double ToldTime(void* context) noexcept {
  return static_cast<const std::atomic<double>*>(context)->load(std::memory_order_relaxed);
}

napi_value OpenValue(napi_env env, Memory& memory, Slice key, bool peek, OpenStore& open) {
  EntryRef entry = open.store->Find(key, peek);
  if (!entry.found()) return Int(env, kMiss);
  PutHead(entry.head(), memory);
  // Where there is no room for the text, the caller comes again with a larger block.
  const uint64_t text = entry.head().text_size();
  Block& block = memory.block;
  if (text > block.size - block.used) return Int(env, kBlockFull);
  if (text > 0) std::memcpy(block.data + block.used, entry.etag().data(), text);
  memory.Number(kTextAt) = static_cast<double>(block.used);
  block.used += text;
  const bool must_copy = entry.must_copy();
  memory.Number(kHandle) = memory.entries.Add(std::move(entry));
  return Int(env, must_copy ? kMustCopy : kOpened);
}

}  // namespace

napi_value MemoryNumbers(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  return arguments.environment().memory.numbers(env);
}

napi_value MemoryNews(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  if (memory.news.is_open()) return nullptr;
  if (memory.news.Open(env, arguments[0]) != napi_ok) {
    return Throw(env, Status::InvalidArgument("receive must be a function"));
  }
  // After the thread-safe function was made, so that it runs before that is taken apart.
  napi_add_env_cleanup_hook(
      env, [](void* of) { static_cast<Memory*>(of)->Close(); }, &memory);
  return nullptr;
}

napi_value MemoryOpen(napi_env env, napi_callback_info info) {
  const Arguments<8> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  std::string name;
  bool named = false;
  const Status read = OptionalTextArgument(env, arguments[0], "name", name, named);
  if (!read.ok()) return Throw(env, read);
  const Result<uint64_t> max_bytes = CountArgument(env, arguments[1], "maxBytes");
  if (!max_bytes.ok()) return Throw(env, max_bytes.status());
  const Result<uint64_t> max_item_bytes = CountArgument(env, arguments[2], "maxItemBytes");
  if (!max_item_bytes.ok()) return Throw(env, max_item_bytes.status());
  char space[32];
  const Result<std::string_view> policy = TextArgument(env, arguments[3], "policy", space);
  if (!policy.ok()) return Throw(env, policy.status());
  const std::optional<PolicyKind> kind = PolicyKindOf(policy.value());
  if (!kind) return Throw(env, Status::InvalidArgument("policy is unknown"));
  const Result<uint64_t> ceiling = CountArgument(env, arguments[4], "ceiling");
  if (!ceiling.ok()) return Throw(env, ceiling.status());
  const Result<Slice> key = BytesArgument(env, arguments[5], "hashKey");
  if (!key.ok()) return Throw(env, key.status());
  if (key.value().size() != HashKey::kBytes) {
    return Throw(env, Status::InvalidArgument("hashKey must have 16 bytes"));
  }

  const Result<uint32_t> shards = Uint32Argument(env, arguments[7], "shards");
  if (!shards.ok()) return Throw(env, shards.status());

  OpenStore open;
  MemoryStoreOptions options;
  options.shards = shards.value();
  options.max_bytes = max_bytes.value();
  options.max_item_bytes = max_item_bytes.value();
  options.policy = *kind;
  options.ceiling = ceiling.value();
  options.hash_key = HashKey::From(key.value());
  options.clock = {SystemTime, nullptr};
  double told = 0;
  if (!named && napi_get_value_double(env, arguments[6], &told) == napi_ok) {
    open.told_time = std::make_unique<std::atomic<double>>(told);
    options.clock = {ToldTime, open.told_time.get()};
  }
  Result<std::shared_ptr<MemoryStore>> store =
      named ? NamedStores().Attach(name, options) : MemoryStore::Create(options);
  if (!store.ok()) return Throw(env, store.status());
  open.store = named ? store.value() : Attached(store.value());
  return Int(env, static_cast<int32_t>(memory.stores.Add(std::move(open))));
}

napi_value MemoryClose(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  open->Leave();
  uint32_t handle = 0;
  napi_get_value_uint32(env, arguments[0], &handle);
  memory.stores.Remove(handle);
  return nullptr;
}

napi_value MemoryBlock(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  return arguments.environment().memory.block.Use(env, arguments[0], arguments[1]);
}

napi_value MemoryFind(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const KeyArgument key(env, arguments[1], memory);
  if (!key.ok()) return nullptr;
  const bool peek = BoolArgument(env, arguments[2]);

  Block& block = memory.block;
  memory.Number(kBlockUsed) = static_cast<double>(block.used);
  const std::span<uint8_t> room(block.data + block.used,
                                std::min<uint64_t>(block.size - block.used, kInHand));
  if (memory.text_space.empty()) memory.text_space.resize(4096);
  Head head;
  switch (open->store->GetCopy(key.key(), room, memory.text_space, head, peek)) {
    case MemoryStore::Copied::kMiss:
      return Int(env, kMiss);
    case MemoryStore::Copied::kTooLarge:
      break;
    case MemoryStore::Copied::kDone: {
      PutHead(head, memory);
      const uint64_t text = head.text_size();
      if (text > block.size - block.used - head.size) return Int(env, kBlockFull);
      memory.Number(kValueAt) = static_cast<double>(block.used);
      block.used += head.size;
      memory.Number(kTextAt) = static_cast<double>(block.used);
      if (text > 0) std::memcpy(block.data + block.used, memory.text_space.data(), text);
      block.used += text;
      return Int(env, kCopied);
    }
  }
  if (head.size > kInHand) return OpenValue(env, memory, key.key(), peek, *open);
  if (head.text_size() > memory.text_space.size()) memory.text_space.resize(head.text_size());
  PutHead(head, memory);
  return Int(env, kBlockFull);
}

napi_value MemorySet(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const KeyArgument key(env, arguments[1], memory);
  if (!key.ok()) return nullptr;
  const Result<Slice> value = BytesArgument(env, arguments[2], "value");
  if (!value.ok()) return Throw(env, value.status());
  Metadata metadata;
  const Status status = MetadataArgument(env, arguments[3], arguments[4], memory, metadata);
  if (!status.ok()) return Throw(env, status);
  return Int(env, static_cast<int32_t>(open->store->Set(key.key(), value.value(), metadata)));
}

napi_value MemoryRevise(napi_env env, napi_callback_info info) {
  const Arguments<5> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  const KeyArgument key(env, arguments[1], memory);
  if (!key.ok()) return nullptr;
  const Result<uint32_t> version = Uint32Argument(env, arguments[2], "version");
  if (!version.ok()) return Throw(env, version.status());
  Metadata metadata;
  const Status status = MetadataArgument(env, arguments[3], arguments[4], memory, metadata);
  if (!status.ok()) return Throw(env, status);
  return Int(env, static_cast<int32_t>(open->store->Revise(key.key(), version.value(), metadata)));
}

napi_value MemoryDelete(napi_env env, napi_callback_info info) {
  return WithKey(env, info,
                 [&](MemoryStore& store, Slice key) { return Boolean(env, store.Delete(key)); });
}

napi_value MemoryDiscard(napi_env env, napi_callback_info info) {
  return WithKey(env, info,
                 [&](MemoryStore& store, Slice key) { return Boolean(env, store.Discard(key)); });
}

napi_value MemoryClear(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open != nullptr) open->store->Clear();
  return nullptr;
}

napi_value MemoryMaintain(napi_env env, napi_callback_info info) {
  const Arguments<1> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open != nullptr) open->store->Maintain();
  return nullptr;
}

napi_value MemoryTime(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  double now = 0;
  napi_get_value_double(env, arguments[1], &now);
  if (open->told_time != nullptr) open->told_time->store(now, std::memory_order_relaxed);
  return nullptr;
}

napi_value MemoryConfigure(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const Result<uint64_t> max_bytes = CountArgument(env, arguments[1], "maxBytes");
  if (!max_bytes.ok()) return Throw(env, max_bytes.status());
  const Result<uint64_t> max_item_bytes = CountArgument(env, arguments[2], "maxItemBytes");
  if (!max_item_bytes.ok()) return Throw(env, max_item_bytes.status());
  char space[32];
  const Result<std::string_view> policy = TextArgument(env, arguments[3], "policy", space);
  if (!policy.ok()) return Throw(env, policy.status());
  const std::optional<PolicyKind> kind = PolicyKindOf(policy.value());
  if (!kind) return Throw(env, Status::InvalidArgument("policy is unknown"));
  const Status status = open->store->Configure(max_bytes.value(), max_item_bytes.value(), *kind);
  return status.ok() ? nullptr : Throw(env, status);
}

napi_value MemoryPress(napi_env env, napi_callback_info info) {
  const Arguments<3> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const Result<uint32_t> part = Uint32Argument(env, arguments[1], "part");
  if (!part.ok()) return Throw(env, part.status());
  const Result<uint64_t> bytes = CountArgument(env, arguments[2], "bytes");
  if (!bytes.ok()) return Throw(env, bytes.status());
  const uint32_t wanted = std::min(part.value(), MemoryStore::kWhole);
  open->store->Press(open->part, wanted);
  open->part = wanted;
  return Boolean(env, open->store->Yield(bytes.value()));
}

napi_value MemoryStats(napi_env env, napi_callback_info info) {
  const Arguments<2> arguments(env, info);
  OpenStore* open = StoreArgument(env, arguments[0], arguments.environment().memory);
  if (open == nullptr) return nullptr;
  const MemoryStore::Stats stats = open->store->stats();
  const uint64_t numbers[] = {stats.entries,     stats.bytes,          stats.pinned_bytes,
                              stats.max_bytes,   stats.max_item_bytes, stats.evictions,
                              stats.expirations, stats.refusals,       stats.memory_refusals,
                              stats.free_bytes,  stats.index_bytes,    stats.record_bytes,
                              stats.policy_bytes};
  const Result<std::span<double>> out =
      NumbersArgument(env, arguments[1], "out", std::size(numbers));
  if (!out.ok()) return Throw(env, out.status());
  for (size_t at = 0; at < std::size(numbers); at++) {
    out.value()[at] = static_cast<double>(numbers[at]);
  }
  return nullptr;
}

napi_value MemoryList(napi_env env, napi_callback_info info) {
  const Arguments<4> arguments(env, info);
  Memory& memory = arguments.environment().memory;
  OpenStore* open = StoreArgument(env, arguments[0], memory);
  if (open == nullptr) return nullptr;
  MemoryStore::Cursor cursor;
  const Result<uint32_t> shard = Uint32Argument(env, arguments[1], "shard");
  if (!shard.ok()) return Throw(env, shard.status());
  const Result<uint32_t> handle = Uint32Argument(env, arguments[2], "handle");
  if (!handle.ok()) return Throw(env, handle.status());
  const Result<uint32_t> count = Uint32Argument(env, arguments[3], "count");
  if (!count.ok()) return Throw(env, count.status());
  cursor = {shard.value(), handle.value()};
  const auto listed = open->store->List(cursor, count.value());
  // Flat, after the place to go on at: key, six numbers, etag and user of each entry.
  napi_value list = nullptr;
  napi_create_array(env, &list);
  uint32_t at = 0;
  const auto push = [&](napi_value value) { napi_set_element(env, list, at++, value); };
  const auto push_number = [&](double number) { push(Double(env, number)); };
  push_number(cursor.shard);
  push_number(cursor.handle);
  napi_value none = nullptr;
  napi_get_undefined(env, &none);
  for (const MemoryStore::Listed& entry : listed) {
    const Head& head = entry.head;
    const Slice text(entry.text);
    push(Text(env, entry.key));
    push_number(static_cast<double>(head.size));
    push_number(head.cached_at);
    push_number(head.fresh_until);
    push_number(head.stale_until);
    push_number(head.stale_if_error_until);
    push_number(head.negative ? 1 : 0);
    push(head.has_etag ? Text(env, text.first(head.etag_size)) : none);
    push(head.has_user ? Text(env, text.subspan(head.etag_size)) : none);
  }
  return list;
}

}  // namespace drey::node
