#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

// What each target of this folder has: the entry point of libFuzzer, and inputs to begin with,
// which are kept in corpus/<target>. Whatever the input, nothing is read or written where it must
// not be, and what is accepted is what the format allows.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

std::vector<std::vector<uint8_t>> Seeds();
