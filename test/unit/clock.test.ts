import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../lib/clock.js'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const DAY = 864e5

test('a delay beyond what a timer of Node takes is waited for in parts', () => {
  const fired = vi.fn()
  systemClock.after(60 * DAY, fired)
  vi.advanceTimersByTime(60 * DAY - 1)
  expect(fired).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(fired).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(0)
})

test('an endless delay never fires, and can be cancelled in any of its parts', () => {
  const fired = vi.fn()
  const timer = systemClock.after(Number.POSITIVE_INFINITY, fired)
  vi.advanceTimersByTime(100 * DAY)
  timer.cancel()
  expect([fired.mock.calls.length, vi.getTimerCount()]).toEqual([0, 0])
})

test('the monotonic clock goes on as time does, and does not notice when the clock is set', () => {
  const before = systemClock.monotonic()
  vi.advanceTimersByTime(250)
  vi.setSystemTime(0)
  expect(systemClock.monotonic() - before).toBeCloseTo(250)
})
