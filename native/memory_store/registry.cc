#include "memory_store/registry.h"

#include <string_view>
#include <utility>

namespace drey {
namespace {

Status Differs(const std::string& store, const char* option, std::string_view given,
               std::string_view has) {
  return Status::InvalidArgument(std::string(option) + ": got " + std::string(given) +
                                 " for the memory store " + store + ", which has " +
                                 std::string(has) + "; give the same, or another name");
}

// The options that decide what the store does, compared as they were given.
Status Compare(const std::string& name, const MemoryStoreOptions& given,
               const MemoryStoreOptions& has) {
  if (given.max_bytes != has.max_bytes) {
    return Differs(name, "maxBytes", std::to_string(given.max_bytes),
                   std::to_string(has.max_bytes));
  }
  if (given.max_item_bytes != has.max_item_bytes) {
    return Differs(name, "maxItemBytes", std::to_string(given.max_item_bytes),
                   std::to_string(has.max_item_bytes));
  }
  if (given.policy != has.policy) {
    return Differs(name, "policy", NameOf(given.policy), NameOf(has.policy));
  }
  if (given.shards != has.shards) {
    return Differs(name, "shards", std::to_string(given.shards), std::to_string(has.shards));
  }
  return {};
}

// Invariant: the store is shut once, after the last share of this is gone.
struct Attachment {
  explicit Attachment(std::shared_ptr<MemoryStore> to) noexcept : store(std::move(to)) {}
  ~Attachment() {
    // Nobody else could get a share now: without one, all of it goes at once.
    if (store.use_count() > 1) store->Shut();
  }
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  const std::shared_ptr<MemoryStore> store;
};

}  // namespace

std::shared_ptr<MemoryStore> Attached(std::shared_ptr<MemoryStore> store) {
  auto attachment = std::make_shared<Attachment>(std::move(store));
  MemoryStore* const to = attachment->store.get();
  return {std::move(attachment), to};
}

Result<std::shared_ptr<MemoryStore>> StoreRegistry::Attach(const std::string& name,
                                                           const MemoryStoreOptions& options) {
  const std::lock_guard lock(mutex_);
  std::erase_if(stores_, [](const auto& named) { return named.second.store.expired(); });
  if (const auto found = stores_.find(name); found != stores_.end()) {
    std::shared_ptr<MemoryStore> store = found->second.store.lock();
    // Its last holder may have let go a moment ago; then it is made anew.
    if (store != nullptr) {
      Status same = Compare(name, options, found->second.options);
      if (!same.ok()) return same;
      return store;
    }
  }
  Result<std::shared_ptr<MemoryStore>> made = MemoryStore::Create(options);
  if (!made.ok()) return made;
  std::shared_ptr<MemoryStore> attached = Attached(made.value());
  stores_.insert_or_assign(name, Named{options, attached});
  return attached;
}

size_t StoreRegistry::size() {
  const std::lock_guard lock(mutex_);
  std::erase_if(stores_, [](const auto& named) { return named.second.store.expired(); });
  return stores_.size();
}

StoreRegistry& NamedStores() noexcept {
  // Never destroyed: worker threads may still run, and let stores go, while the process exits and
  // its statics are destroyed.
  static auto* const registry = new StoreRegistry;
  return *registry;
}

}  // namespace drey
