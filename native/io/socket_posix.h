#pragma once

#include "io/env.h"

// The sockets of PosixEnv: those in a folder, named through its descriptor.
namespace drey::posix {

Outcome MakeSocket() noexcept;
Outcome BindAt(int socket, int folder, const char* name) noexcept;
Outcome Listen(int socket, int backlog) noexcept;
Outcome Accept(int socket) noexcept;
Outcome ConnectAt(int socket, int folder, const char* name) noexcept;
Outcome PeerProcess(int socket) noexcept;
Outcome Send(int socket, Slice bytes) noexcept;
Outcome Receive(int socket, std::span<uint8_t> bytes) noexcept;
Outcome Await(std::span<Awaited> sockets, uint32_t milliseconds) noexcept;

}  // namespace drey::posix
