#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace drey {

// Bytes that somebody else owns and keeps alive for the length of the call. A size is counted in
// bytes.
using Slice = std::span<const uint8_t>;

inline Slice SliceOf(std::string_view text) noexcept {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace drey
