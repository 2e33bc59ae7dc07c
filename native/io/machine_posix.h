#pragma once

#include "io/env.h"

// What PosixEnv knows of the machine.
namespace drey::posix {

Outcome Boot(BootId* id) noexcept;
Outcome Entropy(std::span<uint8_t> bytes) noexcept;

}  // namespace drey::posix
