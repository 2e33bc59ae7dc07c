import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type GcKind, RuntimeWatch } from '../../../lib/metrics/runtime.js'
import { FakeClock } from '../../helpers/clock.js'

/** Whose timers fire late. */
class LateClock extends FakeClock {
  late = 0

  override monotonic(): number {
    return super.monotonic() + this.late
  }
}

function watched(): {
  watch: RuntimeWatch
  clock: LateClock
  collect: (kind: GcKind, ms: number) => void
  observers: () => number
} {
  const clock = new LateClock()
  const observers = new Set<(kind: GcKind, ms: number) => void>()
  const watch = new RuntimeWatch({
    clock,
    observeGc: (onGc) => {
      observers.add(onGc)
      return () => observers.delete(onGc)
    },
  })
  return {
    watch,
    clock,
    collect: (kind, ms) => {
      for (const onGc of observers) onGc(kind, ms)
    },
    observers: () => observers.size,
  }
}

describe('the thread is watched', () => {
  test('exactly while somebody uses it', () => {
    const { watch, clock, observers } = watched()
    const [one, two] = [watch.use(20), watch.use(20)]
    expect([clock.pending, observers()]).toEqual([1, 1])
    one()
    one()
    expect([clock.pending, observers()]).toEqual([1, 1])
    two()
    expect([clock.pending, observers()]).toEqual([0, 0])
    const again = watch.use(20)
    expect([clock.pending, observers()]).toEqual([1, 1])
    again()
  })

  test('as often as the one that wants it most often', () => {
    const { watch, clock } = watched()
    const slow = watch.use(100)
    const fast = watch.use(10)
    clock.advance(100)
    expect(watch.times().loopDelay.count).toBe(10)
    fast()
    clock.advance(100)
    expect(watch.times().loopDelay.count).toBe(11)
    slow()
    clock.advance(1000)
    expect(watch.times().loopDelay.count).toBe(11)
  })

  test('for how late the loop is, and for what collections take', () => {
    const { watch, clock, collect } = watched()
    const leave = watch.use(10)
    clock.advance(10)
    expect(watch.times().loopDelay).toMatchObject({ count: 1, max: 0 })
    clock.late += 35
    clock.advance(10)
    collect('major', 4)
    collect('minor', 0.5)
    collect('minor', 0.25)
    const { gc, loopDelay } = watch.times()
    expect(loopDelay).toMatchObject({ count: 2, sum: 35e6, max: 35e6 })
    expect(gc.major).toMatchObject({ count: 1, sum: 4e6 })
    expect(gc.minor).toMatchObject({ count: 2, sum: 750_000 })
    leave()
    expect(watch.times().gc.minor.count).toBe(2)
  })
})

test('a cache that nobody closes keeps no process alive for it, and collections are seen', () => {
  const dist = fileURLToPath(new URL('../../../dist/index.js', import.meta.url))
  const script = `
    import { createCache, memoryStore } from ${JSON.stringify(dist)}
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '8MiB' })], pressure: false, bufferPool: false, metrics: { interval: 5 } })
    globalThis.gc()
    setTimeout(() => {
      const { gc, loopDelay } = cache.stats().metrics.runtime
      console.log(gc.major.count > 0, loopDelay.count > 0)
    }, 200)
  `
  const { stdout, status, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '-e', script],
    { encoding: 'utf8', timeout: 50_000 },
  )
  expect({ stdout, status }, stderr).toEqual({ stdout: 'true true\n', status: 0 })
})
