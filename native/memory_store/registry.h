#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/status.h"
#include "memory_store/store.h"

namespace drey {

// The store as somebody who opened it holds it: when the last such share goes, the store is shut
// and its memory is the system's again, even if somebody still has a share of another kind, such as
// that of an entry that is open or of the arena's addresses.
std::shared_ptr<MemoryStore> Attached(std::shared_ptr<MemoryStore> store);

// The stores of a process that have a name: whoever attaches by the same name, from whatever
// thread, gets the same store.
//
// Invariant: a store is known as long as somebody is attached to it; the registry itself keeps none
// alive.
class StoreRegistry {
 public:
  // The store of that name, made now if there is none. The options must be those that it was made
  // with; the hash key, clock and system are the first one's.
  Result<std::shared_ptr<MemoryStore>> Attach(const std::string& name,
                                              const MemoryStoreOptions& options);
  // Stores that somebody holds.
  size_t size();

 private:
  struct Named {
    MemoryStoreOptions options;
    std::weak_ptr<MemoryStore> store;
  };

  // The first in the order of locks.
  std::mutex mutex_;
  // Guarded by mutex_.
  std::map<std::string, Named> stores_;
};

// That of the process.
StoreRegistry& NamedStores() noexcept;

}  // namespace drey
