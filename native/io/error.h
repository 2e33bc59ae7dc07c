#pragma once

#include <string>

#include "core/status.h"

namespace drey {

// What kind of failure an errno is.
Status::Code CodeOf(int error) noexcept;

// The failure of a system call, in words: "`what`: No space left on device (ENOSPC)". `what` says
// what was tried on which file.
Status SystemError(int error, const std::string& what);

}  // namespace drey
