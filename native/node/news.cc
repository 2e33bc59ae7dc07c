#include "node/news.h"

namespace drey::node {

News::~News() { Close(); }

napi_status News::Open(napi_env env, napi_value receive) {
  napi_value name = nullptr;
  napi_status status = napi_create_string_utf8(env, "drey:news", NAPI_AUTO_LENGTH, &name);
  if (status != napi_ok) return status;
  // A queue of one: the mailbox wakes once for all that it has.
  status = napi_create_threadsafe_function(env, receive, nullptr, name, 1, 1, nullptr, nullptr,
                                           this, Deliver, &wake_);
  if (status != napi_ok) return status;
  env_ = env;
  napi_unref_threadsafe_function(env, wake_);
  mailbox_ = std::make_shared<Mailbox>(
      [](void* context) {
        // A full queue has a wake-up under way, and a closing one nobody to wake.
        napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(context), nullptr,
                                      napi_tsfn_nonblocking);
      },
      wake_);
  return napi_ok;
}

void News::Await() {
  if (awaited_++ == 0) napi_ref_threadsafe_function(env_, wake_);
}

void News::Unawait() {
  if (--awaited_ == 0 && wake_ != nullptr) napi_unref_threadsafe_function(env_, wake_);
}

void News::Close() noexcept {
  if (mailbox_ != nullptr) mailbox_->Close();
  if (wake_ != nullptr) napi_release_threadsafe_function(wake_, napi_tsfn_abort);
  wake_ = nullptr;
}

void News::Deliver(napi_env env, napi_value receive, void* context, void*) {
  // Without an environment the function is being taken apart.
  if (env == nullptr) return;
  auto& news = *static_cast<News*>(context);
  if (news.wake_ == nullptr) return;
  news.mailbox_->Drain(news.letters_);
  if (news.letters_.empty()) return;
  napi_value list = nullptr;
  if (napi_create_array_with_length(env, news.letters_.size() * 2, &list) != napi_ok) return;
  uint32_t at = 0;
  for (const Mailbox::Letter& letter : news.letters_) {
    napi_value token = nullptr;
    napi_value events = nullptr;
    napi_create_double(env, static_cast<double>(letter.token), &token);
    napi_create_uint32(env, letter.events, &events);
    napi_set_element(env, list, at++, token);
    napi_set_element(env, list, at++, events);
  }
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  // What the receiver throws stays pending, and Node reports it as uncaught; ours throws nothing.
  napi_call_function(env, undefined, receive, 1, &list, nullptr);
}

}  // namespace drey::node
