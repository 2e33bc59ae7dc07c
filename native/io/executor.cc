#include "io/executor.h"

#include <string>

#include "io/lane.h"

namespace drey {
namespace {

constexpr const char* kNames[Executor::kLanes] = {"read", "write", "upkeep"};

Thread::Priority PriorityOf(size_t lane) noexcept {
  return lane == Executor::kMaintenance ? Thread::Priority::kLow : Thread::Priority::kNormal;
}

}  // namespace

Result<std::unique_ptr<Executor>> Executor::Start(const Options& options) noexcept {
  for (size_t lane = 0; lane < kLanes; lane++) {
    if (options.lanes[lane].threads > 0 && options.lanes[lane].queue > 0) continue;
    return Status::InvalidArgument(std::string("the lane ") + kNames[lane] +
                                   " needs at least one thread and room for one task");
  }
  std::unique_ptr<Executor> executor(new Executor());
  executor->name_ = options.name;
  for (size_t lane = 0; lane < kLanes; lane++) {
    executor->lanes_[lane] = std::make_shared<Lane>(*options.clock, options.lanes[lane]);
  }
  for (size_t lane = 0; lane < kLanes; lane++) {
    const Thread::Priority priority = PriorityOf(lane);
    for (uint32_t thread = 0; thread < options.lanes[lane].threads; thread++) {
      const std::string name = options.name + "-" + kNames[lane] + "-" + std::to_string(thread);
      Status added = Lane::AddThread(executor->lanes_[lane], name, priority);
      // Those that there are already end with the executor.
      if (!added.ok()) return added;
    }
  }
  return executor;
}

Executor::~Executor() { Stop(0); }

Executor::Submitted Executor::Submit(LaneName lane, std::unique_ptr<Task>& task) noexcept {
  return lanes_[lane]->Submit(task);
}

Status Executor::Resize(LaneName lane, uint32_t threads) noexcept {
  if (threads == 0) return Status::InvalidArgument("a lane needs at least one thread");
  return Lane::Resize(lanes_[lane], threads, name_ + "-" + kNames[lane], PriorityOf(lane));
}

Executor::Stopped Executor::Stop(uint64_t deadline) noexcept {
  // All at once, so that they share the time that there is.
  for (const auto& lane : lanes_) lane->BeginStop();
  Stopped stopped;
  for (const auto& lane : lanes_) {
    const Stopped of_lane = lane->EndStop(deadline);
    stopped.dropped += of_lane.dropped;
    stopped.stuck += of_lane.stuck;
  }
  return stopped;
}

Executor::Stats Executor::stats(LaneName lane) const noexcept { return lanes_[lane]->stats(); }

}  // namespace drey
