#pragma once

#include "io/env.h"

namespace drey {

// The real one: Linux and macOS. It has no state.
Env& PosixEnv() noexcept;

}  // namespace drey
