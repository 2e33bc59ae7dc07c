/*
 * Time, behind a seam. Epoch time says when an entry is fresh; it may jump and orders nothing. Timers and the
 * monotonic clock are unaffected by such jumps. Tests put a clock of their own here, and no test waits for the real one.
 */

/** A timer that was set. */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Epoch milliseconds. */
  now(): number
  /** Milliseconds, with fractions, since some moment: never goes back and never jumps. For intervals. */
  monotonic(): number
  /** Calls `fn` once, `ms` from now, unless cancelled. Keeps the process alive until then only if `awake`. */
  after(ms: number, fn: () => void, awake?: boolean): Timer
}

// The longest delay that Node's timers take; longer ones would fire at once, so they are waited for in parts.
const MAX_DELAY = 2 ** 31 - 1

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  after(ms, fn, awake = false) {
    let left = ms
    let handle: NodeJS.Timeout
    const wait = (): void => {
      const part = Math.min(left, MAX_DELAY)
      left -= part
      handle = setTimeout(left > 0 ? wait : fn, part)
      if (!awake) handle.unref()
    }
    wait()
    return { cancel: () => clearTimeout(handle) }
  },
}
