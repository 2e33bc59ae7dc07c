#include "policy/fifo.h"

namespace drey {

void Fifo::Add(uint32_t handle) noexcept { list_.Add(nodes_, handle); }

void Fifo::Remove(uint32_t handle) noexcept { list_.Remove(nodes_, handle); }

uint32_t Fifo::Evict(bool pinned_too) noexcept {
  const uint32_t victim = Pins(nodes_, pinned_too).OldestOf(list_);
  if (victim != PolicyNode::kNone) list_.Remove(nodes_, victim);
  return victim;
}

}  // namespace drey
