#pragma once

#include <node_api.h>

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/slice.h"
#include "memory_store/registry.h"
#include "memory_store/store.h"
#include "node/block.h"
#include "node/handles.h"
#include "node/news.h"
#include "node/numbers.h"

namespace drey::node {

// A store as one environment has it open.
struct OpenStore {
  std::shared_ptr<MemoryStore> store;
  // Set when JavaScript tells the time: tests do. Not moved while the store is open.
  std::unique_ptr<std::atomic<double>> told_time;
  bool listens = false;
  // The part of the store that this environment wants used.
  uint32_t part = MemoryStore::kWhole;

  // It wants nothing of the store any more.
  void Leave();
};

// What one environment has of memory stores: everything that its thread opened and has not closed.
// When the environment ends, however it ends, Close gives all of it back: its flights end for those
// who follow them, its drafts leave no trace, what it pinned is free again.
class Memory {
 public:
  Memory() = default;
  // Deletes its references: those that are left to Node are lost when a worker thread ends.
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  napi_status Open(napi_env env);
  void Close() noexcept;

  // Who this environment is to the stores. An address names one environment at a time, and nothing
  // of an earlier one is left when it names the next.
  Owner owner() const noexcept { return reinterpret_cast<Owner>(this); }

  double& Number(node::Number number) const noexcept { return numbers_[number]; }

  Handles<OpenStore> stores;
  Handles<EntryRef> entries;
  Handles<std::shared_ptr<Draft>> drafts;
  Handles<std::shared_ptr<Flight>> flights;
  News news;
  Block block;
  // Room for what is too long for the stack; kept from call to call.
  std::vector<char> key_space;
  std::string etag_space;
  std::string user_space;
  std::vector<uint8_t> text_space;
  // The note of the flight that was looked at last.
  Flight::Note looked_at;

  napi_value numbers(napi_env env) const noexcept;

 private:
  napi_env env_ = nullptr;
  napi_ref numbers_reference_ = nullptr;
  double* numbers_ = nullptr;
};

}  // namespace drey::node
