// The twin's sockets and its machine.

#include <algorithm>

#include "support/env_fault.h"

namespace drey::test {

Outcome FaultEnv::Socket() noexcept {
  const Verdict verdict = Judge(Call::kSocket, "");
  if (verdict.error != 0) return Outcome::Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  return Opened(base_.Socket(), "socket", DiskModel::kNone);
}

Outcome FaultEnv::Bind(int socket, int folder, const char* name) noexcept {
  const Verdict verdict = Judge(Call::kBind, PathOf(folder, name));
  return verdict.error != 0 ? Outcome::Failed(verdict.error) : base_.Bind(socket, folder, name);
}

Outcome FaultEnv::Listen(int socket, int backlog) noexcept {
  const Verdict verdict = Judge(Call::kListen, PathOf(socket));
  return verdict.error != 0 ? Outcome::Failed(verdict.error) : base_.Listen(socket, backlog);
}

Outcome FaultEnv::Accept(int socket) noexcept {
  const Verdict verdict = Judge(Call::kAccept, PathOf(socket));
  if (verdict.error != 0) return Outcome::Failed(verdict.error);
  const std::lock_guard lock(mutex_);
  return Opened(base_.Accept(socket), "accepted", DiskModel::kNone);
}

Outcome FaultEnv::Connect(int socket, int folder, const char* name) noexcept {
  const Verdict verdict = Judge(Call::kConnect, PathOf(folder, name));
  return verdict.error != 0 ? Outcome::Failed(verdict.error) : base_.Connect(socket, folder, name);
}

Outcome FaultEnv::PeerProcess(int socket) noexcept {
  const Verdict verdict = Judge(Call::kPeerProcess, PathOf(socket));
  return verdict.error != 0 ? Outcome::Failed(verdict.error) : base_.PeerProcess(socket);
}

Outcome FaultEnv::Send(int socket, Slice bytes) noexcept {
  const Verdict verdict = Judge(Call::kSend, PathOf(socket));
  if (verdict.error != 0) return Outcome::Failed(verdict.error);
  return base_.Send(socket, bytes.first(std::min<uint64_t>(bytes.size(), verdict.at_most)));
}

Outcome FaultEnv::Receive(int socket, std::span<uint8_t> bytes) noexcept {
  const Verdict verdict = Judge(Call::kReceive, PathOf(socket));
  if (verdict.error != 0) return Outcome::Failed(verdict.error);
  return base_.Receive(socket, bytes.first(std::min<uint64_t>(bytes.size(), verdict.at_most)));
}

Outcome FaultEnv::Await(std::span<Awaited> sockets, uint32_t milliseconds) noexcept {
  const Verdict verdict = Judge(Call::kAwait, "");
  if (verdict.error != 0) return Outcome::Failed(verdict.error);
  // Who waits is not to wait on when the machine stops, and nobody can wake him any more.
  constexpr uint32_t kSlice = 5;
  for (uint32_t waited = 0;; waited += kSlice) {
    const uint32_t left = milliseconds - std::min(waited, milliseconds);
    const Outcome ready = base_.Await(sockets, std::min(left, kSlice));
    if (!ready.ok() || ready.value() > 0 || left <= kSlice) return ready;
    if (halted()) return Outcome::Failed(EIO);
  }
}

Outcome FaultEnv::Boot(BootId* id) noexcept {
  const Verdict verdict = Judge(Call::kBoot, "");
  if (verdict.error != 0) return Outcome::Failed(verdict.error);
  const Outcome known = base_.Boot(id);
  const std::lock_guard lock(mutex_);
  if (known.ok()) id->bytes[0] = static_cast<uint8_t>(id->bytes[0] + losses_);
  return known;
}

Outcome FaultEnv::Entropy(std::span<uint8_t> bytes) noexcept {
  const Verdict verdict = Judge(Call::kEntropy, "");
  return verdict.error != 0 ? Outcome::Failed(verdict.error) : base_.Entropy(bytes);
}

}  // namespace drey::test
