#include "node/files.h"

namespace drey::node {
namespace {

napi_status MakeNumbers(napi_env env, size_t count, double** data, napi_value* numbers,
                        napi_ref* reference) {
  napi_value buffer = nullptr;
  void* memory = nullptr;
  napi_status status = napi_create_arraybuffer(env, count * sizeof(double), &memory, &buffer);
  if (status != napi_ok) return status;
  status = napi_create_typedarray(env, napi_float64_array, count, buffer, 0, numbers);
  if (status != napi_ok) return status;
  *data = static_cast<double*>(memory);
  // Held for good: the memory must not go while calls write to it.
  return napi_create_reference(env, *numbers, 1, reference);
}

}  // namespace

void FileDrops::Hear(Slice key, Dropped why) {
  {
    const std::lock_guard lock(mutex_);
    if (drops_.size() == kMost) return;
    drops_.emplace_back(std::string(reinterpret_cast<const char*>(key.data()), key.size()), why);
    if (std::exchange(told_, true)) return;
  }
  desk_->queue.Push({.id = id_});
}

std::vector<std::pair<std::string, FileDrops::Dropped>> FileDrops::Take() {
  const std::lock_guard lock(mutex_);
  told_ = false;
  return std::exchange(drops_, {});
}

bool FileDrops::End() {
  const std::lock_guard lock(mutex_);
  drops_ = {};
  return std::exchange(told_, true);
}

Files::~Files() {
  Close();
  block.Release(env_);
  for (const napi_ref reference : {numbers_reference_, completions_reference_}) {
    if (reference != nullptr) napi_delete_reference(env_, reference);
  }
}

napi_status Files::Open(napi_env env, napi_value receive, napi_value* numbers,
                        napi_value* completions) {
  env_ = env;
  napi_value name = nullptr;
  napi_status status = napi_create_string_utf8(env, "drey:files", NAPI_AUTO_LENGTH, &name);
  if (status != napi_ok) return status;
  status = MakeNumbers(env, kFileNumbers, &numbers_, numbers, &numbers_reference_);
  if (status != napi_ok) return status;
  status =
      MakeNumbers(env, kBatch * kDoneNumbers, &completions_, completions, &completions_reference_);
  if (status != napi_ok) return status;
  // A queue of one: the completion queue wakes once for all that it has.
  status = napi_create_threadsafe_function(env, receive, nullptr, name, 1, 1, nullptr, nullptr,
                                           this, Deliver, &wake_);
  if (status != napi_ok) return status;
  napi_unref_threadsafe_function(env, wake_);
  desk_ = std::make_shared<FileDesk>(
      kMostOperations + kMostStanding,
      [](void* context) {
        // A full queue has a wake-up under way, and a closing one nobody to wake.
        napi_call_threadsafe_function(static_cast<napi_threadsafe_function>(context), nullptr,
                                      napi_tsfn_nonblocking);
      },
      wake_);
  return napi_ok;
}

void Files::Close() noexcept {
  if (desk_ == nullptr || std::exchange(closed_, true)) return;
  // First of all: from here on no other thread calls into this environment.
  desk_->queue.Close();
  napi_release_threadsafe_function(wake_, napi_tsfn_abort);
  wake_ = nullptr;
  for (uint32_t at = 0; at < stores.capacity(); at++) {
    OpenFileStore* open = stores.Get(at);
    if (open != nullptr && open->drops != nullptr) {
      open->attached.directory->Unlisten(open->drops);
    }
  }
  KickAll();
  {
    std::unique_lock lock(desk_->mutex);
    desk_->quiet.wait(lock, [this] { return desk_->busy == 0; });
  }
  // What they have open goes before the directories do.
  blobs.Clear();
  drafts.Clear();
  scans.Clear();
  std::vector<file::FileRegistry::Attachment> attached;
  for (uint32_t at = 0; at < operations.capacity(); at++) {
    Operation* operation = operations.Get(at);
    if (operation == nullptr || *operation == nullptr) continue;
    (*operation)->thread.Join();
    if ((*operation)->memory != nullptr) napi_delete_reference(env_, (*operation)->memory);
    // It was opened for somebody who never heard of it.
    if ((*operation)->attached.slot != nullptr) {
      attached.push_back(std::move((*operation)->attached));
    }
  }
  operations.Clear();
  for (uint32_t at = 0; at < stores.capacity(); at++) {
    OpenFileStore* open = stores.Get(at);
    if (open != nullptr) attached.push_back(std::move(open->attached));
  }
  stores.Clear();
  for (file::FileRegistry::Attachment& each : attached) {
    // Nobody is left who could be told; the next open finds what there is.
    static_cast<void>(file::OpenDirectories().Detach(std::move(each)).ok());
  }
}

int64_t Files::Begin(napi_value memory, std::span<uint8_t> bytes, Operation* operation) {
  if (desk_ == nullptr || closed_ || under_way_ >= kMostOperations || !desk_->queue.Reserve()) {
    return -1;
  }
  auto begun = std::make_shared<FileOperation>();
  begun->bytes = bytes;
  if (memory != nullptr && napi_create_reference(env_, memory, 1, &begun->memory) != napi_ok) {
    desk_->queue.Cancel();
    return -1;
  }
  const uint32_t id = operations.Add(begun);
  desk_->busy += 1;
  Count(1);
  *operation = std::move(begun);
  return id;
}

int64_t Files::BeginPlain() {
  if (desk_ == nullptr || closed_ || under_way_ >= kMostOperations || !desk_->queue.Reserve()) {
    return -1;
  }
  desk_->busy += 1;
  Count(1);
  return operations.Add(nullptr);
}

file::WriteDone Files::EndOfPlain(uint32_t id) const {
  return [desk = desk_, id](file::WriteOutcome outcome) {
    Status failure;
    const Ending ending = EndingOf(std::move(outcome), &failure);
    if (!failure.ok()) {
      {
        const std::lock_guard lock(desk->mutex);
        desk->failures.insert_or_assign(id, std::move(failure));
      }
      return desk->Tell({.id = id, .detail = -1});
    }
    desk->Tell({.id = id, .detail = ending.outcome, .first = ending.first});
  };
}

Status Files::FailureOf(uint32_t id) {
  const std::lock_guard lock(desk_->mutex);
  const auto found = desk_->failures.find(id);
  if (found == desk_->failures.end()) return Status::InvalidArgument("it has not failed");
  Status failure = std::move(found->second);
  desk_->failures.erase(found);
  return failure;
}

void Files::KickAll() {
  for (uint32_t at = 0; at < stores.capacity(); at++) {
    OpenFileStore* open = stores.Get(at);
    if (open != nullptr) open->attached.directory->store().Kick();
  }
}

std::function<void(Files::Ending)> Files::EndOf(uint32_t id, const Operation& operation) {
  return [desk = desk_, id, operation](Ending ending) {
    if (!operation->failure.ok()) {
      ending.outcome = -1;
      operation->kept = true;
    }
    desk->Tell(
        {.id = id, .detail = ending.outcome, .first = ending.first, .second = ending.second});
  };
}

void Files::Cancel(uint32_t id) {
  desk_->queue.Cancel();
  desk_->busy -= 1;
  Count(-1);
  Remove(id);
}

uint32_t Files::AddStanding() {
  auto standing = std::make_shared<FileOperation>();
  standing->standing = true;
  return operations.Add(std::move(standing));
}

void Files::StartListening(OpenFileStore& open) {
  if (!Rearm()) return;
  open.drops_operation = AddStanding();
  open.drops = std::make_shared<FileDrops>(desk_, open.drops_operation);
  open.attached.directory->Listen(open.drops);
}

void Files::StopListening(OpenFileStore& open) {
  if (open.drops == nullptr) return;
  open.attached.directory->Unlisten(open.drops);
  if (!open.drops->End()) desk_->queue.Cancel();
  open.drops = nullptr;
  Remove(open.drops_operation);
}

void Files::ForgetAllOf(const file::FileStore& store) {
  for (uint32_t at = 0; at < blobs.capacity(); at++) {
    const auto* const blob = blobs.Get(at);
    if (blob != nullptr && (*blob)->store.get() == &store) blobs.Remove(at);
  }
  for (uint32_t at = 0; at < drafts.capacity(); at++) {
    const auto* const draft = drafts.Get(at);
    if (draft != nullptr && (*draft)->store().get() == &store) drafts.Remove(at);
  }
  for (uint32_t at = 0; at < scans.capacity(); at++) {
    const auto* const scan = scans.Get(at);
    if (scan != nullptr && (*scan)->store.get() == &store) scans.Remove(at);
  }
}

std::span<char> Files::KeySpace() {
  // One more for the zero that Node puts at the end.
  key_space.resize(file::kMostKey + 1);
  return key_space;
}

void Files::Remove(uint32_t id) {
  Operation* operation = operations.Get(id);
  if (operation == nullptr) return;
  if (*operation != nullptr) {
    (*operation)->thread.Join();
    if ((*operation)->memory != nullptr) napi_delete_reference(env_, (*operation)->memory);
  }
  operations.Remove(id);
}

void Files::Count(int change) {
  const bool before = under_way_ > 0;
  under_way_ = static_cast<uint32_t>(static_cast<int>(under_way_) + change);
  const bool now = under_way_ > 0;
  if (before == now || wake_ == nullptr) return;
  if (now) napi_ref_threadsafe_function(env_, wake_);
  if (!now) napi_unref_threadsafe_function(env_, wake_);
}

void Files::Deliver(napi_env env, napi_value receive, void* context, void*) {
  // Without an environment the function is being taken apart.
  if (env == nullptr) return;
  auto& files = *static_cast<Files*>(context);
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  std::array<Completion, kBatch> ended;
  size_t count = kBatch;
  while (count == kBatch && files.wake_ != nullptr) {
    count = files.desk_->queue.Drain(ended);
    if (count == 0) return;
    for (size_t at = 0; at < count; at++) {
      const Completion& each = ended[at];
      const auto id = static_cast<uint32_t>(each.id);
      double* to = files.completions_ + at * kDoneNumbers;
      to[kDoneOperation] = static_cast<double>(each.id);
      to[kDoneOutcome] = each.detail;
      to[kDoneFirst] = static_cast<double>(each.first);
      to[kDoneSecond] = static_cast<double>(each.second);
      Operation* operation = files.operations.Get(id);
      // One that was let go.
      if (operation == nullptr) continue;
      if (*operation == nullptr) {
        files.Count(-1);
        if (each.detail != -1) files.operations.Remove(id);
        continue;
      }
      // It was not counted.
      if ((*operation)->standing) continue;
      files.Count(-1);
      if ((*operation)->memory != nullptr) {
        napi_delete_reference(env, std::exchange((*operation)->memory, nullptr));
      }
      if (!(*operation)->kept) files.Remove(id);
    }
    napi_value number = nullptr;
    napi_create_uint32(env, static_cast<uint32_t>(count), &number);
    // What the receiver throws stays pending, and Node reports it as uncaught; ours throws nothing.
    if (napi_call_function(env, undefined, receive, 1, &number, nullptr) != napi_ok) return;
  }
}

}  // namespace drey::node
