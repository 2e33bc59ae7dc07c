#include "node/error.h"

namespace drey::node {

const char* ErrorCode(Status::Code code) noexcept {
  switch (code) {
    case Status::Code::kInvalidArgument:
      return "ERR_DREY_CONFIG";
    case Status::Code::kInvalidKey:
      return "ERR_DREY_KEY";
    case Status::Code::kOk:
      break;
  }
  return "ERR_DREY_NATIVE";
}

napi_value Throw(napi_env env, const Status& status) noexcept {
  // What fails at this border today is an argument of the wrong type. Should Node refuse to make
  // the error, then because another one is pending already, and that one is reported.
  napi_throw_type_error(env, ErrorCode(status.code()), status.message());
  return nullptr;
}

}  // namespace drey::node
