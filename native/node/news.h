#pragma once

#include <node_api.h>

#include <memory>
#include <vector>

#include "memory_store/mailbox.h"

namespace drey::node {

// Brings the letters of an environment's mailbox to JavaScript: one wake-up, and one call, for a
// batch of them.
//
// Invariants:
//  - Once Close has returned no thread calls into Node for this environment any more. It is called
//  by a cleanup hook that is added after the thread-safe function was made, and thus runs before
//  Node takes that one apart.
//  - The loop is kept alive exactly while somebody awaits news.
class News {
 public:
  News() = default;
  ~News();
  News(const News&) = delete;
  News& operator=(const News&) = delete;

  // `receive` is called with an array of token, events, token, events, ... Once for an environment.
  napi_status Open(napi_env env, napi_value receive);
  bool is_open() const noexcept { return mailbox_ != nullptr; }
  const std::shared_ptr<Mailbox>& mailbox() const noexcept { return mailbox_; }

  // Somebody awaits news from here on, or does not any more.
  void Await();
  void Unawait();

  void Close() noexcept;

 private:
  static void Deliver(napi_env env, napi_value receive, void* context, void* data);

  napi_env env_ = nullptr;
  napi_threadsafe_function wake_ = nullptr;
  std::shared_ptr<Mailbox> mailbox_;
  uint32_t awaited_ = 0;
  // Kept from call to call for its room.
  std::vector<Mailbox::Letter> letters_;
};

}  // namespace drey::node
