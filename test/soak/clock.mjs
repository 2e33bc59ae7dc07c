import { systemClock } from '../../dist/clock.js'

/** A clock that goes `speed` times as fast as the system's, from the same moment in every thread that is given `since`. */
export function fastClock(speed, since) {
  const began = performance.timeOrigin + performance.now()
  const passed = () => performance.timeOrigin + performance.now() - began
  // Threads begin at different times, and have one time.
  const ahead = (began - since) * (speed - 1)
  return {
    now: () => Math.round(began + ahead + passed() * speed),
    monotonic: () => passed() * speed,
    after: (ms, fn, awake) => systemClock.after(ms / speed, fn, awake),
  }
}
