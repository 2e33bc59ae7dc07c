#pragma once

#include <node_api.h>

#include "core/status.h"

namespace drey::node {

// The stable code, ERR_DREY_*, that users match on. The only place where one is made of a status.
const char* ErrorCode(Status::Code code) noexcept;

// Leaves a JavaScript error pending in `env`; returns null, which is what a function that throws
// returns.
napi_value Throw(napi_env env, const Status& status) noexcept;

}  // namespace drey::node
