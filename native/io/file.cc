#include "io/file.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "io/error.h"

namespace drey {
namespace {

// Asks again what was interrupted.
template <class Call>
Outcome Uninterrupted(Call call) noexcept {
  while (true) {
    const Outcome outcome = call();
    if (outcome.error() != EINTR) return outcome;
  }
}

// Offsets are signed in the systems' calls.
bool Fits(uint64_t offset, uint64_t bytes) noexcept {
  constexpr uint64_t kEnd = INT64_MAX;
  return offset <= kEnd && bytes <= kEnd - offset;
}

}  // namespace

File::File(Env& env, int descriptor, std::string name) noexcept
    : env_(&env), descriptor_(descriptor), name_(std::move(name)) {}

File::~File() { static_cast<void>(Close().ok()); }

File::File(File&& other) noexcept
    : env_(other.env_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      name_(std::move(other.name_)),
      uncached_(other.uncached_.load(std::memory_order_relaxed)) {}

File& File::operator=(File&& other) noexcept {
  if (this == &other) return *this;
  static_cast<void>(Close().ok());
  env_ = other.env_;
  descriptor_ = std::exchange(other.descriptor_, -1);
  name_ = std::move(other.name_);
  uncached_.store(other.uncached_.load(std::memory_order_relaxed), std::memory_order_relaxed);
  return *this;
}

Status File::Close() noexcept {
  if (!is_open()) return {};
  const Outcome closed = env_->Close(std::exchange(descriptor_, -1));
  return closed.ok() ? Status() : Failure(closed.error(), "close");
}

Result<uint64_t> File::ReadUpTo(uint64_t offset, std::span<uint8_t> bytes) const noexcept {
  if (!Fits(offset, bytes.size())) return Failure(EOVERFLOW, "read", offset, bytes.size());
  uint64_t done = 0;
  while (done < bytes.size()) {
    const Outcome read =
        Uninterrupted([&] { return env_->Read(descriptor_, offset + done, bytes.subspan(done)); });
    if (!read.ok()) return Failure(read.error(), "read", offset + done, bytes.size() - done);
    if (read.value() == 0) break;
    done += read.value();
  }
  return done;
}

Status File::ReadFull(uint64_t offset, std::span<uint8_t> bytes) const noexcept {
  Result<uint64_t> read = ReadUpTo(offset, bytes);
  if (!read.ok()) return read.TakeStatus();
  if (read.value() == bytes.size()) return {};
  return Status::Failed(Status::Code::kCorrupt, name_ + " ends at " +
                                                    std::to_string(offset + read.value()) + "; " +
                                                    std::to_string(bytes.size()) + " bytes at " +
                                                    std::to_string(offset) + " are expected");
}

File::Cached File::ReadCached(uint64_t offset, std::span<uint8_t> bytes) const noexcept {
  if (uncached_.load(std::memory_order_relaxed)) return Cached::kUnsupported;
  const Outcome read = env_->ReadCached(descriptor_, offset, bytes);
  if (read.ok()) return Cached::kDone;
  if (read.error() == EAGAIN) return Cached::kWouldBlock;
  if (read.error() != EOPNOTSUPP) return Cached::kFailed;
  uncached_.store(true, std::memory_order_relaxed);
  return Cached::kUnsupported;
}

Status File::WriteFull(uint64_t offset, Slice bytes) noexcept {
  return WriteFull(offset, std::span<const Slice>(&bytes, 1));
}

Status File::WriteFull(uint64_t offset, std::span<const Slice> slices) noexcept {
  uint64_t left = 0;
  for (const Slice& slice : slices) {
    left += slice.size();
    if (!Fits(offset, left)) return Failure(EOVERFLOW, "write", offset, left);
  }
  // Bytes of the first slice that are written already.
  size_t skip = 0;
  std::array<Slice, Env::kSlices> batch;
  while (left > 0) {
    while (skip >= slices.front().size()) {
      skip -= slices.front().size();
      slices = slices.subspan(1);
    }
    const size_t count = std::min(slices.size(), batch.size());
    std::copy_n(slices.begin(), count, batch.begin());
    batch[0] = batch[0].subspan(skip);
    const Outcome wrote = Uninterrupted([&] {
      return env_->Write(descriptor_, offset, std::span<const Slice>(batch.data(), count));
    });
    if (!wrote.ok()) return Failure(wrote.error(), "write", offset, left);
    // Neither written nor refused: asking for ever would not help.
    if (wrote.value() == 0) return Failure(EIO, "write (nothing was taken)", offset, left);
    skip += wrote.value();
    offset += wrote.value();
    left -= wrote.value();
  }
  return {};
}

Status File::SyncData() noexcept {
  const Outcome synced = Uninterrupted([&] { return env_->SyncData(descriptor_); });
  return synced.ok() ? Status() : Failure(synced.error(), "sync");
}

Status File::Sync() noexcept {
  const Outcome synced = Uninterrupted([&] { return env_->Sync(descriptor_); });
  return synced.ok() ? Status() : Failure(synced.error(), "sync");
}

Status File::Truncate(uint64_t size) noexcept {
  const Outcome cut = Uninterrupted([&] { return env_->Truncate(descriptor_, size); });
  return cut.ok() ? Status() : Failure(cut.error(), "truncate", size, 0);
}

Result<bool> File::Allocate(uint64_t offset, uint64_t bytes, Env::Allocation allocation) noexcept {
  const Outcome made =
      Uninterrupted([&] { return env_->Allocate(descriptor_, offset, bytes, allocation); });
  if (made.ok()) return true;
  if (made.error() == EOPNOTSUPP || made.error() == ENOSYS) return false;
  return Failure(made.error(), "allocate", offset, bytes);
}

Result<bool> File::Punch(uint64_t offset, uint64_t bytes) noexcept {
  const Outcome punched = Uninterrupted([&] { return env_->Punch(descriptor_, offset, bytes); });
  if (punched.ok()) return true;
  if (punched.error() == EOPNOTSUPP || punched.error() == ENOSYS) return false;
  return Failure(punched.error(), "give back", offset, bytes);
}

Result<NodeInfo> File::Stat() const noexcept {
  NodeInfo info;
  const Outcome found = env_->Stat(descriptor_, &info);
  if (!found.ok()) return Failure(found.error(), "stat");
  return info;
}

void File::Advise(uint64_t offset, uint64_t bytes, Env::Advice advice) const noexcept {
  static_cast<void>(env_->Advise(descriptor_, offset, bytes, advice).ok());
}

void File::StartWriteback(uint64_t offset, uint64_t bytes) const noexcept {
  static_cast<void>(env_->StartWriteback(descriptor_, offset, bytes).ok());
}

Status File::Failure(int error, const char* tried) const {
  return SystemError(error, std::string(tried) + " " + name_);
}

Status File::Failure(int error, const char* tried, uint64_t offset, uint64_t bytes) const {
  return SystemError(error, std::string(tried) + " " + name_ + ", " + std::to_string(bytes) +
                                " bytes at " + std::to_string(offset));
}

}  // namespace drey
