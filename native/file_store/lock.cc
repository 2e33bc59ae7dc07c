#include "file_store/lock.h"

#include <cerrno>
#include <utility>
#include <vector>

#include "file_store/format/names.h"
#include "io/error.h"

namespace drey::file {
namespace {

// How long an owner has to answer.
constexpr uint32_t kPatience = 1000;
// How long the answering thread sleeps where nothing can wake it.
constexpr uint32_t kSleep = 200;
constexpr int kAttempts = 20;
constexpr const char* kUnfinished = ".new";
// Older ones nobody is about to publish any more.
constexpr double kStale = 60'000;

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') quoted += '\\';
    // Of what JSON would want escaped otherwise, a title needs nothing.
    quoted += byte < 0x20 ? ' ' : each;
  }
  return quoted + "\"";
}

// The text of a field of the line that an owner answers with; for a message only.
std::string FieldOf(const std::string& line, const std::string& name) {
  const size_t at = line.find("\"" + name + "\":");
  if (at == std::string::npos) return "?";
  const size_t from = at + name.size() + 3;
  return line.substr(from, line.find_first_of(",}", from) - from);
}

// A descriptor that is closed with it.
class Socket {
 public:
  Socket(Env& env, const Outcome& made) noexcept
      : env_(env), descriptor_(made.ok() ? static_cast<int>(made.value()) : -1) {}
  ~Socket() {
    if (descriptor_ >= 0) static_cast<void>(env_.Close(descriptor_).ok());
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int get() const noexcept { return descriptor_; }

 private:
  Env& env_;
  const int descriptor_;
};

// How many are ready: 0 or 1.
Outcome AwaitOne(Env& env, int socket, uint32_t milliseconds) {
  Awaited awaited{.socket = socket};
  return env.Await(std::span(&awaited, 1), milliseconds);
}

void Pause(Env& env, int socket, uint32_t milliseconds) {
  // A socket that nobody connects to is something to wait at.
  static_cast<void>(AwaitOne(env, socket, milliseconds).ok());
}

}  // namespace

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(const Folder& root,
                                                           const std::string& title) {
  Status why;
  for (int attempt = 0; attempt < kAttempts; attempt++) {
    std::unique_ptr<DirectoryLock> lock(new DirectoryLock());
    Result<Folder> folder = root.OpenFolder(kLockFolder, Folder::Missing::kMake);
    if (!folder.ok()) return folder.TakeStatus();
    lock->folder_ = folder.Take();
    lock->path_ = root.path();
    if (Status published = lock->Publish(title); !published.ok()) return published;
    Claim claim = lock->LookAround(&why);
    if (claim == Claim::kAlone) {
      lock->owner_ = true;
      lock->Sweep();
      return lock;
    }
    if (claim == Claim::kOwned || claim == Claim::kFailed) return why;
    // The others are many: not all again at the same time.
    uint8_t random[1] = {};
    static_cast<void>(root.env().Entropy(random).ok());
    const Socket idle(root.env(), root.env().Socket());
    lock.reset();
    if (idle.get() >= 0) Pause(root.env(), idle.get(), 10 + random[0] / 4);
  }
  return Status::Failed(Status::Code::kLocked,
                        root.path() + ": several processes try to own it; try again");
}

Status DirectoryLock::Publish(const std::string& title) {
  Env& env = folder_.env();
  uint8_t random[8] = {};
  Outcome done = env.Entropy(random);
  if (!done.ok()) return SystemError(done.error(), "name a socket");
  name_ = Hex(Slice(random));
  const std::string unfinished = name_ + kUnfinished;
  const auto since = static_cast<uint64_t>(env.EpochMilliseconds());
  said_ = " {\"pid\":" + std::to_string(env.Process()) + ",\"since\":" + std::to_string(since) +
          ",\"title\":" + Quoted(title) + "}\n";
  done = env.Socket();
  if (!done.ok()) return SystemError(done.error(), "make a socket");
  socket_ = static_cast<int>(done.value());
  const std::string where = path_ + "/" + kLockFolder + "/" + name_;
  done = env.Bind(socket_, folder_.descriptor(), unfinished.c_str());
  if (!done.ok()) {
    name_.clear();
    return SystemError(done.error(), "bind the socket " + where);
  }
  done = env.Listen(socket_, 64);
  if (!done.ok()) {
    static_cast<void>(folder_.Unlink(unfinished).ok());
    name_.clear();
    return SystemError(done.error(), "listen at " + where);
  }
  Result<Thread> thread =
      Thread::Start("drey-lock", Thread::Priority::kNormal, [this] { Answer(); });
  if (!thread.ok()) {
    static_cast<void>(folder_.Unlink(unfinished).ok());
    name_.clear();
    return thread.TakeStatus();
  }
  thread_ = thread.Take();
  answering_ = true;
  Status renamed = folder_.Rename(unfinished, name_);
  if (!renamed.ok()) static_cast<void>(folder_.Unlink(unfinished).ok());
  return renamed;
}

DirectoryLock::Claim DirectoryLock::LookAround(Status* why) {
  while (true) {
    std::vector<std::string> others;
    *why = folder_.List([&](const Listed& entry) {
      if (entry.name.size() == 16 && ParseHex(entry.name) && entry.name != name_) {
        others.emplace_back(entry.name);
      }
      return true;
    });
    if (!why->ok()) return Claim::kFailed;
    bool alone = true;
    for (const std::string& other : others) {
      const Claim claim = Ask(other, why);
      if (claim == Claim::kAlone) continue;
      if (claim != Claim::kWithdraw) return claim;
      // Of two claimants the lower name stays, and asks again.
      if (other < name_) return Claim::kWithdraw;
      alone = false;
    }
    if (alone) return Claim::kAlone;
    Pause(folder_.env(), socket_, 20);
  }
}

DirectoryLock::Claim DirectoryLock::Ask(const std::string& other, Status* why) {
  Env& env = folder_.env();
  const Outcome made = env.Socket();
  if (!made.ok()) {
    *why = SystemError(made.error(), "make a socket");
    return Claim::kFailed;
  }
  const Socket socket(env, made);
  const Outcome connected = env.Connect(socket.get(), folder_.descriptor(), other.c_str());
  if (connected.error() == ECONNREFUSED) {
    // It is dead, and nobody will ever have its name.
    static_cast<void>(folder_.Unlink(other).ok());
    return Claim::kAlone;
  }
  if (connected.error() == ENOENT) return Claim::kAlone;
  if (!connected.ok() && connected.error() != EAGAIN) {
    *why = SystemError(connected.error(), "ask " + path_ + "/" + kLockFolder + "/" + other);
    return Claim::kFailed;
  }
  std::string line;
  uint8_t bytes[512];
  while (connected.ok() && line.find('\n') == std::string::npos) {
    const Outcome ready = AwaitOne(env, socket.get(), kPatience);
    if (ready.error() == EINTR) continue;
    if (!ready.ok() || ready.value() == 0) break;
    const Outcome received = env.Receive(socket.get(), bytes);
    if (received.error() == EINTR || received.error() == EAGAIN) continue;
    // Gone without a word: it dies just now, or withdraws. Look again.
    if ((!received.ok() || received.value() == 0) && line.empty()) return Claim::kWithdraw;
    if (!received.ok() || received.value() == 0) break;
    line.append(reinterpret_cast<const char*>(bytes), received.value());
  }
  if (line.starts_with("candidate")) return Claim::kWithdraw;
  const std::string owner = FieldOf(line, "pid");
  const bool ourselves = owner == std::to_string(env.Process());
  *why = Status::Failed(Status::Code::kLocked,
                        path_ + " is in use by " +
                            (ourselves ? std::string("another copy of drey in this process")
                                       : "process " + owner + " (" + FieldOf(line, "title") +
                                             ", since " + FieldOf(line, "since") + ")") +
                            ": a directory has one owner; choose another, or stop that one");
  return Claim::kOwned;
}

void DirectoryLock::Sweep() {
  std::vector<std::string> names;
  // What cannot be listed or removed now takes a name, and no more: the next owner tries again.
  static_cast<void>(folder_
                        .List([&](const Listed& entry) {
                          const std::string_view name = entry.name;
                          if (name.size() == 20 && name.ends_with(kUnfinished) &&
                              ParseHex(name.substr(0, 16))) {
                            names.emplace_back(name);
                          }
                          return true;
                        })
                        .ok());
  const double now = folder_.env().EpochMilliseconds();
  for (const std::string& name : names) {
    const Result<NodeInfo> info = folder_.StatAt(name);
    if (!info.ok() || info.value().kind == NodeKind::kFolder) continue;
    if (now - info.value().modified_at > kStale) static_cast<void>(folder_.Unlink(name).ok());
  }
}

void DirectoryLock::Answer() noexcept {
  Env& env = folder_.env();
  while (!stop_) {
    const Outcome ready = AwaitOne(env, socket_, kSleep);
    if (!ready.ok() && ready.error() != EINTR) return;
    if (stop_ || !ready.ok() || ready.value() == 0) continue;
    const Socket asking(env, env.Accept(socket_));
    if (asking.get() < 0) continue;
    const std::string line = (owner_ ? "owner" : "candidate") + said_;
    static_cast<void>(env.Send(asking.get(), SliceOf(line)).ok());
  }
}

DirectoryLock::~DirectoryLock() {
  if (socket_ < 0) return;
  Env& env = folder_.env();
  stop_ = true;
  if (answering_) {
    // Wakes it, so that nobody waits for its patience to end.
    const Socket caller(env, env.Socket());
    if (caller.get() >= 0 && !name_.empty()) {
      static_cast<void>(env.Connect(caller.get(), folder_.descriptor(), name_.c_str()).ok());
    }
    thread_.Join();
  }
  if (!name_.empty()) static_cast<void>(folder_.Unlink(name_).ok());
  static_cast<void>(env.Close(socket_).ok());
}

}  // namespace drey::file
