/*
 * Bugs of the io layer, and of the twin whose power losses the file store is tested with: a twin that loses too
 * little finds nothing.
 */

/** `replace` is in `file` exactly once, and becomes `by`; `check` must then fail. */
export const BUGS = [
  // -- Files and folders.
  {
    name: 'the rest of a short write is not written',
    file: 'native/io/file.cc',
    replace: 'left -= wrote.value();',
    by: 'left = 0;',
    check: 'io',
  },
  {
    name: 'an interrupted call is a failed one',
    file: 'native/io/file.cc',
    replace: 'if (outcome.error() != EINTR) return outcome;',
    by: 'return outcome;',
    check: 'io',
  },
  {
    name: 'a link is followed in place of a file',
    file: 'native/io/env_posix.cc',
    replace: 'int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;',
    by: 'int flags = O_CLOEXEC | O_NONBLOCK | O_NOCTTY;',
    check: 'io',
  },
  {
    name: 'a link is followed at the end of a path with a slash',
    file: 'native/io/folder.cc',
    replace: 'const std::string trimmed = Trimmed(path);',
    by: 'const std::string trimmed = path;',
    check: 'io',
  },
  {
    name: 'a descriptor is closed by two that had it',
    file: 'native/io/file.cc',
    replace: 'descriptor_ = std::exchange(other.descriptor_, -1);',
    by: 'descriptor_ = other.descriptor_;',
    check: 'io',
  },
  {
    name: 'part of what was asked for is all from the page cache',
    file: 'native/io/env_posix.cc',
    replace: 'return static_cast<uint64_t>(read) == bytes.size() ? Outcome::Of(bytes.size())',
    by: 'return read > 0 ? Outcome::Of(bytes.size())',
    check: 'io',
  },
  // -- Power losses.
  {
    name: 'twin: names that were not synced are there always',
    file: 'test/native/support/disk_model.cc',
    replace: 'bool there = choice.how != PowerLoss::kNothing;',
    by: 'bool there = true;',
    check: 'io',
  },
  {
    name: 'twin: what was synced is lost',
    file: 'test/native/support/disk_model.cc',
    replace: 'page.durable = last->bytes;',
    by: '',
    check: 'io',
  },
  {
    name: 'twin: a sync makes good what an earlier one lost',
    file: 'test/native/support/disk_model.cc',
    replace: 'return change.time <= before && !change.given_up;',
    by: 'return change.time <= before;',
    check: 'io',
  },
  {
    name: 'twin: nothing is ever torn',
    file: 'test/native/support/disk_model.cc',
    replace: 'if (choice.how == PowerLoss::kPages) {\n    const',
    by: 'if (choice.how >= PowerLoss::kOrdered) {\n    const',
    check: 'io',
  },
  {
    name: 'twin: a later change of a name is there without the earlier',
    file: 'test/native/support/disk_model.cc',
    replace: 'missing.insert(name);',
    by: '',
    check: 'io',
  },
  {
    name: 'twin: halted, it writes on',
    file: 'test/native/support/env_fault.cc',
    replace: 'if (halted()) verdict.error = EIO;',
    by: '',
    check: 'io',
  },
  // -- Threads.
  {
    name: 'what waits at the deadline is not told',
    file: 'native/io/lane.cc',
    replace: 'dropped->Drop();',
    by: '',
    check: 'io',
  },
  {
    name: 'a queue without an end',
    file: 'native/io/lane.cc',
    replace: 'if (stats_.queued >= most_queued_) {',
    by: 'if (stats_.queued > most_queued_) {',
    check: 'io',
  },
  {
    name: 'lost wake-up: a queue that was emptied does not wake again',
    file: 'native/io/completion_queue.cc',
    replace: 'if (taken < into.size()) woken_ = false;',
    by: '',
    check: 'io',
  },
  {
    name: 'close does not wait for who wakes',
    file: 'native/io/completion_queue.cc',
    replace: 'quiet_.wait(lock, [this] { return calling_ == 0; });',
    by: '',
    check: 'io',
  },
  {
    name: 'the rate holds for each piece alone',
    file: 'native/io/rate_limit.cc',
    replace: 'full_at_ = Plus(std::max(full_at_, now), CostOf(bytes));',
    by: 'full_at_ = Plus(now, CostOf(bytes));',
    check: 'io',
  },
]
