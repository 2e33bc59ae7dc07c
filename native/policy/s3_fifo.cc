#include "policy/s3_fifo.h"

namespace drey {

bool S3Fifo::Reserve(const PolicySetting& setting) noexcept {
  if (!ghost_.Reserve(setting.system, setting.ledger, setting.most_entries)) return false;
  SetCapacity(setting.capacity);
  return true;
}

void S3Fifo::SetCapacity(uint64_t bytes) noexcept {
  main_share_ = bytes - bytes / 10;
  // Nine tenths, rounded down, without passing 64 bits.
  ghost_.SetCapacity(bytes / 10 * 9 + bytes % 10 * 9 / 10, bytes);
}

void S3Fifo::Add(uint32_t handle) noexcept {
  nodes_[handle].set_mark(ghost_.Take(nodes_.Hash(handle)) ? kMain : 0);
  QueueOf(handle).Add(nodes_, handle);
}

void S3Fifo::Touch(uint32_t handle) noexcept {
  PolicyNode& node = nodes_[handle];
  if ((node.mark() & kMostUses) < kMostUses) node.set_mark(node.mark() + 1);
}

void S3Fifo::Remove(uint32_t handle) noexcept { QueueOf(handle).Remove(nodes_, handle); }

void S3Fifo::Resize(uint32_t handle, uint64_t before) noexcept {
  QueueOf(handle).bytes += nodes_.Size(handle) - before;
}

uint32_t S3Fifo::Evict(bool pinned_too) noexcept {
  Pins pins(nodes_, pinned_too);
  const bool main_first = main_.bytes > main_share_ || small_.list.count == 0;
  const uint32_t victim = main_first ? EvictFromMain(pins) : EvictFromSmall(pins);
  if (victim != PolicyNode::kNone) return victim;
  return main_first ? EvictFromSmall(pins) : EvictFromMain(pins);
}

uint32_t S3Fifo::EvictFromSmall(Pins& pins) noexcept {
  for (uint32_t turns = small_.list.count; turns > 0 && !pins.exhausted(); turns--) {
    const uint32_t handle = small_.list.oldest;
    if (nodes_[handle].mark() >= kUsesToMove) {
      small_.Remove(nodes_, handle);
      nodes_[handle].set_mark(kMain);
      main_.Add(nodes_, handle);
    } else if (pins.Release(handle)) {
      small_.Remove(nodes_, handle);
      ghost_.Add(nodes_.Hash(handle), nodes_.Size(handle));
      return handle;
    } else {
      small_.list.Renew(nodes_, handle);
    }
  }
  return PolicyNode::kNone;
}

uint32_t S3Fifo::EvictFromMain(Pins& pins) noexcept {
  // After so many turns no entry has a use left, so that all of them were found to be pinned.
  for (uint64_t turns = uint64_t{main_.list.count} * (kMostUses + 1);
       turns > 0 && !pins.exhausted(); turns--) {
    const uint32_t handle = main_.list.oldest;
    PolicyNode& node = nodes_[handle];
    if (node.mark() == kMain && pins.Release(handle)) {
      main_.Remove(nodes_, handle);
      return handle;
    }
    if (node.mark() > kMain) node.set_mark(node.mark() - 1);
    main_.list.Renew(nodes_, handle);
  }
  return PolicyNode::kNone;
}

}  // namespace drey
