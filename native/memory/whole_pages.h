#pragma once

#include <cstdint>

#include "memory/system.h"

namespace drey {

// Gives the memory behind a committed range to the system and keeps its addresses: that of the
// pages that lie in it whole, since what shares a page with others is theirs too. The bytes are
// undefined afterwards, and may be used again at any time. False when there was nothing to give, or
// the system cannot.
bool DropWholePages(SystemMemory& system, uint8_t* start, uint64_t bytes) noexcept;

}  // namespace drey
