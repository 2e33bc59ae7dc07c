import { describe, expect, test } from 'vitest'
import { createCacheWith } from '../../../../lib/cache/create.js'
import type { CacheEvents } from '../../../../lib/cache/events.js'
import { type Cache, metricsHistory } from '../../../../lib/index.js'
import { Alerts } from '../../../../lib/metrics/health/alerts.js'
import { systemEnv } from '../../../../lib/store/file/env.js'
import { jsFileStore } from '../../../../lib/store/file/js.js'
import { FakeClock } from '../../../helpers/clock.js'
import { fileConfig } from '../../../helpers/file-rig.js'
import { turns } from '../../../helpers/gate.js'
import { distantRig, rig, rigOver } from '../../../helpers/rig.js'

const LIMITS = { amber: 2, red: 5 }
const PATIENCE = { raiseAfter: 3, clearAfter: 2 }
const WINDOW = 10_000

function heard(cache: Cache): string[] {
  const all: string[] = []
  cache.on('alert', ({ state, level, id }: CacheEvents['alert']) => void all.push(`${state} ${level} ${id}`))
  return all
}

describe('hysteresis', () => {
  /** What is told of windows with those values, by the place of the window. */
  function told(values: readonly number[]): Array<[number, string]> {
    const all: Array<[number, string]> = []
    let place = 0
    const alerts = new Alerts(
      () => 0,
      ({ state, level }) => all.push([place, `${state} ${level}`]),
    )
    for (const value of values) {
      alerts.window('p99', value, '', LIMITS, PATIENCE)
      place += 1
    }
    return all
  }

  test('raised after three windows in a row, cleared after two', () => {
    expect(told([2, 2, 1, 2, 2, 2, 1, 2, 1, 1, 1])).toEqual([
      [5, 'raised amber'],
      [9, 'cleared amber'],
    ])
  })

  test('what is worse is told, and what is calmer again', () => {
    expect(told([3, 3, 3, 5, 6, 5, 3, 3, 3, 1, 1])).toEqual([
      [2, 'raised amber'],
      [5, 'raised red'],
      [7, 'raised amber'],
      [10, 'cleared amber'],
    ])
    expect(told([9, 9, 9, 0, 0])).toEqual([
      [2, 'raised red'],
      [4, 'cleared red'],
    ])
  })

  test('a value that moves about a threshold tells nothing', () => {
    expect(told([1, 2, 2, 1, 2, 2, 1, 2, 2])).toEqual([])
    expect(told([2, 2, 2, 1, 2, 1, 2, 1, 2])).toEqual([[2, 'raised amber']])
  })
})

describe('of a cache', () => {
  test('a hit ratio that falls is told, with what it is, and that it is over', async () => {
    const { cache, clock } = await rig('memory')
    const events = heard(cache)
    await cache.set('a', '1')
    const windows = async (count: number, hits: number): Promise<void> => {
      for (let window = 0; window < count; window += 1) {
        for (let i = 0; i < 100; i += 1) cache.getSync(i < hits ? 'a' : 'none')
        clock.advance(WINDOW)
      }
      await turns()
    }
    await windows(30, 90)
    expect([events, cache.health()]).toEqual([[], { level: 'ok', reasons: [] }])
    await windows(2, 70)
    expect(events).toEqual([])
    await windows(1, 70)
    expect(events).toEqual(['raised amber hit-ratio'])
    const [reason] = cache.health().reasons
    expect(cache.health().level).toBe('degraded')
    expect(reason).toMatchObject({ id: 'hit-ratio', level: 'degraded', threshold: 0.1, since: clock.now() })
    expect(reason!.value).toBeGreaterThan(0.15)
    expect(reason!.message).toMatch(/below its mean of the hour before/)
    await windows(6, 90)
    expect(events).toEqual(['raised amber hit-ratio', 'cleared amber hit-ratio'])
    expect(cache.health().level).toBe('ok')
  })

  test('calls that fail make it failing; thresholds are as given; few calls are chance', async () => {
    const alerts = { raiseAfter: 1, clearAfter: 1, errors: { amber: 0.1, red: 0.4 } }
    const { cache, clock } = await rig('memory', { alerts })
    const events = heard(cache)
    const fail = async (): Promise<void> => void (await cache.fetch('b', failing).catch(() => undefined))
    await cache.set('a', '1')
    for (let i = 0; i < 60; i += 1) cache.getSync('a')
    for (let i = 0; i < 10; i += 1) await fail()
    clock.advance(WINDOW)
    await turns()
    expect([events, cache.health().level]).toEqual([['raised amber errors'], 'degraded'])
    for (let i = 0; i < 10; i += 1) await fail()
    clock.advance(WINDOW)
    await turns()
    expect([events[1], cache.health().level]).toEqual(['raised red errors', 'failing'])
    for (let i = 0; i < 60; i += 1) cache.getSync('a')
    clock.advance(WINDOW)
    await turns()
    expect([events[2], cache.health().level]).toEqual(['cleared red errors', 'ok'])
    await fail()
    for (let i = 0; i < 9; i += 1) cache.getSync('a')
    clock.advance(WINDOW)
    await turns()
    expect(events).toHaveLength(3)
    // It fails, is taken out, and nobody asks any more: it is well again, to be asked.
    for (let i = 0; i < 50; i += 1) await fail()
    clock.advance(WINDOW)
    expect(cache.health().level).toBe('failing')
    clock.advance(WINDOW)
    expect(cache.health().level).toBe('ok')
  })

  test('an origin and the only tier that are left alone are known at once, also with alerts and metrics off', async () => {
    for (const off of [false, true]) {
      const options = off ? ({ alerts: false, metrics: false } as const) : {}
      const { cache, store } = await distantRig({ ...options, breaker: { failures: 2 } })
      const events = heard(cache)
      for (let i = 0; i < 2; i += 1) {
        await cache.fetch(`a${i}`, failing, { origin: 'api' }).catch(() => undefined)
      }
      await turns()
      expect(cache.health()).toMatchObject({
        level: 'degraded',
        reasons: [{ id: 'origin-down', value: 1, threshold: 1 }],
      })
      expect(cache.health().reasons[0]!.message).toContain('"api"')
      expect(store.name).toBe('distant')
      expect(events).toEqual(off ? [] : ['raised amber origin-down'])
      await cache.close()
      expect(cache.health().reasons.at(-1)).toMatchObject({ id: 'closed', level: 'failing' })
    }
  })

  test('memory pressure, as the detector tells it', async () => {
    const listeners = new Set<(state: never) => void>()
    const pressure = {
      ...pressureOf(),
      subscribe: (fn: (state: never) => void) => {
        listeners.add(fn)
        return () => listeners.delete(fn)
      },
    }
    const { cache } = await rig('memory', { pressure: pressure as never })
    const events = heard(cache)
    const level = (name: string, ratio: number, factor: number): string => {
      for (const tell of listeners) tell({ level: name, ratio, factor } as never)
      return cache.health().level
    }
    expect([level('normal', 0.8, 0.7), level('high', 0.9, 0.5), level('critical', 0.97, 0.2)]).toEqual([
      'ok',
      'degraded',
      'failing',
    ])
    expect(cache.health().reasons[0]!.message).toBe(
      '97 % of memory is in use; the tiers may use 20 % of their bounds',
    )
    expect(level('none', 0.5, 1)).toBe('ok')
    await turns()
    expect(events).toEqual(['raised amber pressure', 'raised red pressure', 'cleared red pressure'])
  })

  test('a detector of somebody that fails when asked for its stats costs the history, and nothing else', async () => {
    const pressure = {
      ...pressureOf(),
      subscribe: () => () => undefined,
      stats: () => {
        throw new Error('mine')
      },
    }
    const clock = new FakeClock()
    await using cache = await createCacheWith({ pressure: pressure as never }, { clock })
    clock.advance(5 * WINDOW)
    expect([cache.health().level, metricsHistory(cache, '10m')]).toEqual(['ok', []])
    expect(() => cache.stats()).toThrow('mine')
  })

  test('a disk that others fill, and one that has no room for what is written; a tier that is full is none of it', async () => {
    const clock = new FakeClock()
    const store = await diskOf(clock)
    const { cache } = await rigOver(store.store, { alerts: { clearAfter: 1 } }, clock)
    const all = heard(cache)
    // Where the disk is the only tier, what it refuses is a call that fails.
    const events = (): string[] => all.filter((event) => event.includes('disk-'))
    const windows = async (count: number, refused = 0): Promise<void> => {
      for (let window = 0; window < count; window += 1) {
        for (let i = 0; i < refused; i += 1)
          await cache.set('large', Buffer.alloc(400_000)).catch(() => undefined)
        clock.advance(WINDOW)
        await turns()
      }
    }
    await windows(5)
    expect(events()).toEqual([])
    // Of 4 MiB there is room for three.
    store.free = 3 * 2 ** 20
    await windows(4)
    expect(events()).toEqual(['raised amber disk-room'])
    expect(cache.health().reasons[0]).toMatchObject({ level: 'degraded', threshold: 0.05 })
    expect(cache.health().reasons[0]!.message).toMatch(
      /^a disk has no room for 1\d\.\d % of what its tier may/,
    )
    store.free = 2 ** 20
    await windows(4)
    store.free = 2 ** 40
    await windows(2)
    expect(events().slice(1)).toEqual(['raised red disk-room', 'cleared red disk-room'])
    store.full = true
    await windows(3, 2)
    const refusals = (): string[] => events().filter((event) => event.endsWith('refusals'))
    expect(refusals()).toEqual(['raised amber disk-refusals'])
    expect(cache.health().reasons.find(({ id }) => id === 'disk-refusals')?.message).toMatch(
      /^2 values were refused in one window/,
    )
    store.full = false
    await windows(1, 1)
    expect(refusals().slice(1)).toEqual(['cleared amber disk-refusals'])
  })

  test('options that are wrong are told', async () => {
    const { createCache } = await import('../../../../lib/index.js')
    for (const wrong of [{ amber: 2, red: 1 }, { amber: 0, red: 1 }, { amber: 1 }, 3, null]) {
      await expect(createCache({ alerts: { errors: wrong } } as never)).rejects.toThrow(
        /^alerts\.errors: .*want \{ amber, red \}/,
      )
    }
    await expect(createCache({ alerts: 3 } as never)).rejects.toThrow(/^alerts: .*want true, false/)
  })
})

const failing = (): Promise<never> => Promise.reject(new Error('down'))

/** A tier on a disk, of which the system says what it is told to; while it is `full`, nothing is free. */
async function diskOf(clock: FakeClock) {
  const disk = { free: 2 ** 40, full: false }
  const space = async () => ({ total: 2 ** 41, free: disk.full ? 0 : disk.free })
  const store = jsFileStore(fileConfig({ minFree: 1 }), { env: { ...systemEnv, space }, clock })
  return Object.assign(disk, { store })
}

/** A detector that is calm. */
function pressureOf(): object {
  const calm = { level: 'none', ratio: 0.5, factor: 1 }
  return { current: () => calm, stats: () => calm, factor: () => 1, level: () => 'none' }
}
