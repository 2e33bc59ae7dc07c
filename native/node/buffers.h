#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "memory/buffer_slab.h"

namespace drey::node {

// The slabs that one environment was lent as ArrayBuffers, by where they begin. Shared with their
// finalizers, which may run after the environment's own data is gone.
class BufferSlabs {
 public:
  using Table = std::unordered_map<const void*, std::unique_ptr<BufferSlab>>;

  std::shared_ptr<Table> table() const noexcept { return table_; }

 private:
  std::shared_ptr<Table> table_ = std::make_shared<Table>();
};

}  // namespace drey::node
