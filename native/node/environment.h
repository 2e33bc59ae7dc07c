#pragma once

#include "core/crc32c/crc32c.h"
#include "node/files.h"
#include "node/memory.h"
#include "node/sockets.h"

namespace drey::node {

// What one environment of Node holds: the main thread has one, and so has every worker thread.
// Everything that would otherwise be a global lives here, is made when the addon is loaded in that
// thread and goes when the thread does. Only that thread touches it.
//
// Each exported function is given this as its data pointer, which costs nothing, where asking Node
// for the instance data costs a call.
struct Environment {
  const crc32c::Implementation& crc32c;
  Memory memory{};
  Files files{};
  Sockets sockets{};
};

}  // namespace drey::node
