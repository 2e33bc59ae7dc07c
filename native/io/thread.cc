#include "io/thread.h"

#include <cassert>
#include <csignal>
#include <memory>
#include <utility>

#include "io/error.h"

#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#ifdef __APPLE__
#include <pthread/qos.h>
#endif

namespace drey {
namespace {

// Of the stack, which some C libraries make as small as 128 KiB.
constexpr size_t kStack = 1024 * 1024;
// Linux keeps 15 bytes of a name and refuses longer ones.
[[maybe_unused]] constexpr size_t kLongestName = 15;

struct Startup {
  std::string name;
  Thread::Priority priority;
  std::function<void()> run;
};

void Name(const std::string& name) noexcept {
#if defined(__APPLE__)
  pthread_setname_np(name.c_str());
#else
  pthread_setname_np(pthread_self(), name.substr(0, kLongestName).c_str());
#endif
}

// What cannot be lowered stays: the work is done all the same.
void LowerPriority() noexcept {
#if defined(__linux__)
  constexpr int kNice = 10;
  // On Linux this is of one thread, whatever the standard says.
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNice));
#elif defined(__APPLE__)
  pthread_set_qos_class_self_np(QOS_CLASS_UTILITY, 0);
#endif
}

extern "C" void* RunThread(void* given) {
  const std::unique_ptr<Startup> start(static_cast<Startup*>(given));
  Name(start->name);
  if (start->priority == Thread::Priority::kLow) LowerPriority();
  start->run();
  return nullptr;
}

}  // namespace

Result<Thread> Thread::Start(std::string name, Priority priority,
                             std::function<void()> run) noexcept {
  auto start = std::make_unique<Startup>(Startup{std::move(name), priority, std::move(run)});
  const std::string named = start->name;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStack);
  // A thread begins with the mask of the one that makes it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = pthread_create(&thread, &attributes, RunThread, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) return SystemError(error, "start thread " + named);
  static_cast<void>(start.release());
  return Thread(thread);
}

Thread::~Thread() { assert(!owned_); }

Thread::Thread(Thread&& other) noexcept
    : thread_(other.thread_), owned_(std::exchange(other.owned_, false)) {}

Thread& Thread::operator=(Thread&& other) noexcept {
  assert(!owned_);
  thread_ = other.thread_;
  owned_ = std::exchange(other.owned_, false);
  return *this;
}

void Thread::Join() noexcept {
  if (std::exchange(owned_, false)) pthread_join(thread_, nullptr);
}

void Thread::Detach() noexcept {
  if (std::exchange(owned_, false)) pthread_detach(thread_);
}

}  // namespace drey
