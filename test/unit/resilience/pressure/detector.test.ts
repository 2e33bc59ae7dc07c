import { afterEach, describe, expect, test, vi } from 'vitest'
import { ConfigError } from '../../../../lib/errors.js'
import {
  createPressure,
  memoryPressure,
  type PressureOptions,
  type PressureState,
} from '../../../../lib/resilience/pressure/index.js'
import { PATIENCE } from '../../../../lib/resilience/pressure/level.js'
import { FakeClock } from '../../../helpers/clock.js'
import { turns } from '../../../helpers/gate.js'

afterEach(() => {
  vi.restoreAllMocks()
})

/** A detector whose ratio, clock and costs a test sets. */
function rigged(options: PressureOptions = {}) {
  const clock = new FakeClock()
  const given = { ratio: 0, asked: 0, cost: 0, elapsed: 0 }
  const source = {
    name: 'injected',
    ratio: () => {
      given.asked += 1
      given.elapsed += given.cost
      return given.ratio
    },
  }
  const pressure = createPressure({ source, ...options }, { clock, monotonic: () => given.elapsed })
  const advance = (ms: number): void => {
    for (let left = ms; left > 0; left -= 10) {
      given.elapsed += Math.min(left, 10)
      clock.advance(Math.min(left, 10))
    }
  }
  return { pressure, clock, given, advance }
}

describe('the timer', () => {
  test('is set by the first subscriber and gone with the last', () => {
    const { pressure, clock, given } = rigged()
    expect([clock.pending, given.asked]).toEqual([0, 0])
    const first = pressure.subscribe(() => undefined)
    expect([clock.pending, given.asked]).toEqual([1, 1])
    const second = pressure.subscribe(() => undefined)
    expect([clock.pending, given.asked, pressure.stats().subscribers]).toEqual([1, 1, 2])
    first()
    first()
    expect([clock.pending, pressure.stats().subscribers]).toEqual([1, 1])
    second()
    expect([clock.pending, pressure.stats().subscribers]).toEqual([0, 0])
    clock.advance(60_000)
    expect(given.asked).toBe(1)
    const again = pressure.subscribe(() => undefined)
    expect(given.asked).toBe(2)
    again()
  })

  test('looks every second while all is calm, and every 100 ms while it is not', () => {
    const { pressure, given, advance } = rigged()
    const leave = pressure.subscribe(() => undefined)
    advance(5000)
    expect(given.asked).toBe(6)
    given.ratio = 0.75
    advance(1000)
    given.asked = 0
    advance(1000)
    expect(given.asked).toBe(10)
    given.ratio = 0
    advance(100 * PATIENCE)
    expect(pressure.current().level).toBe('none')
    given.asked = 0
    advance(3000)
    expect(given.asked).toBe(3)
    leave()
  })

  test('follows the intervals that are given', () => {
    const { pressure, given, advance } = rigged({ interval: { calm: '200ms', tense: 50 } })
    const leave = pressure.subscribe(() => undefined)
    given.asked = 0
    advance(1000)
    expect(given.asked).toBe(5)
    given.ratio = 1
    advance(200)
    given.asked = 0
    advance(1000)
    expect(given.asked).toBe(20)
    leave()
  })

  test('waits longer where looking takes long, so that it costs 5 % at most', () => {
    const { pressure, given, advance } = rigged()
    given.ratio = 1
    given.cost = 8
    const leave = pressure.subscribe(() => undefined)
    advance(5000)
    given.asked = 0
    advance(8000)
    expect(given.asked).toBe(50)
    // Stopped for an hour in the middle of a sample: that is no reason to look away for long.
    given.cost = 3_600_000
    advance(800)
    given.cost = 0
    given.asked = 0
    advance(4000)
    expect(given.asked).toBeGreaterThan(10)
    expect(pressure.stats().cost.longest).toBe(3_600_000)
    leave()
  })

  test('of the system keeps no process alive, and one serves all of a thread', async () => {
    expect(memoryPressure()).toBe(memoryPressure())
    const set = vi.spyOn(globalThis, 'setTimeout')
    const leaves = [1, 2, 3].map(() => memoryPressure().subscribe(() => undefined))
    expect(set).toHaveBeenCalledTimes(1)
    expect((set.mock.results[0]!.value as NodeJS.Timeout).hasRef()).toBe(false)
    for (const leave of leaves) leave()
    await turns()
    expect(memoryPressure().stats().subscribers).toBe(0)
  })
})

describe('listeners', () => {
  test('are told of changes of the level, and of nothing else', () => {
    const { pressure, given, advance } = rigged()
    const heard: PressureState[] = []
    const leave = pressure.subscribe((state) => heard.push(state))
    for (const ratio of [0.1, 0.69, 0.85, 0.86, 0.99, 0.99]) {
      given.ratio = ratio
      advance(1000)
    }
    given.ratio = 0
    advance(100 * PATIENCE * 4)
    expect(heard.map(({ level, factor, ratio, source }) => [level, factor, ratio, source])).toEqual([
      ['normal', 0.7, 0.85, 'injected'],
      ['critical', 0.2, 0.99, 'injected'],
      ['high', 0.5, 0, 'injected'],
      ['normal', 0.7, 0, 'injected'],
      ['low', 0.9, 0, 'injected'],
      ['none', 1, 0, 'injected'],
    ])
    expect(pressure.stats().changes).toBe(6)
    leave()
    given.ratio = 1
    pressure.sample()
    expect(heard.length).toBe(6)
    expect(pressure.current()).toMatchObject({ level: 'critical', factor: 0.2 })
  })

  test('that subscribe when memory is short find that said, and hear what changes', () => {
    const { pressure, given } = rigged()
    given.ratio = 0.92
    const heard: string[] = []
    const leave = pressure.subscribe(({ level }) => heard.push(level))
    expect([pressure.current().level, heard]).toEqual(['high', []])
    given.ratio = 1
    pressure.sample()
    expect(heard).toEqual(['critical'])
    leave()
  })

  test('that fail are reported, and harm nobody', async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    const { pressure, given, clock } = rigged()
    const heard: string[] = []
    const leaves = [
      pressure.subscribe(() => {
        throw new Error('thrown')
      }),
      pressure.subscribe((async () => {
        throw new Error('rejected')
      }) as () => void),
      pressure.subscribe(({ level }) => heard.push(level)),
    ]
    given.ratio = 0.75
    pressure.sample()
    await turns()
    expect(heard).toEqual(['low'])
    expect(warned.mock.calls.map(([text]) => String(text).split('\n')[0])).toEqual([
      "a listener of 'pressure' failed: Error: thrown",
      "a listener of 'pressure' failed: Error: rejected",
    ])
    expect(clock.pending).toBe(1)
    for (const leave of leaves) leave()
  })

  test('may leave, come, and have samples taken while they are told', () => {
    const { pressure, given, clock } = rigged()
    const heard: string[] = []
    const leaves: Array<() => void> = []
    leaves.push(
      pressure.subscribe(({ level }) => {
        heard.push(`first ${level}`)
        leaves[1]!()
        given.ratio = 1
        pressure.sample()
        leaves.push(pressure.subscribe((state) => heard.push(`late ${state.level}`)))
      }),
    )
    leaves.push(pressure.subscribe(({ level }) => heard.push(`gone ${level}`)))
    leaves.push(pressure.subscribe(({ level }) => heard.push(`third ${level}`)))
    given.ratio = 0.75
    pressure.sample()
    expect(heard).toEqual(['first low', 'third low', 'first critical', 'third critical'])
    for (const leave of leaves) leave()
    expect(clock.pending).toBe(0)
  })

  test('the last of which leaves while the timer fires: no timer is left', () => {
    const { pressure, given, clock, advance } = rigged()
    const leave = pressure.subscribe(() => leave())
    given.ratio = 1
    advance(1000)
    expect([clock.pending, pressure.stats().subscribers]).toEqual([0, 0])
  })

  test('of the same function are as many as were subscribed', () => {
    const { pressure, given } = rigged()
    let calls = 0
    const listener = (): void => {
      calls += 1
    }
    const leaves = [pressure.subscribe(listener), pressure.subscribe(listener)]
    given.ratio = 1
    pressure.sample()
    expect(calls).toBe(2)
    for (const leave of leaves) leave()
  })
})

describe('sources', () => {
  test.each([
    [
      'throws',
      () => {
        throw new Error('broken')
      },
    ],
    [
      'throws nothing',
      () => {
        throw undefined
      },
    ],
    ['gives NaN', () => Number.NaN],
    ['gives less than 0', () => -0.1],
    ['gives text', () => '0.5'],
    ['gives null', () => null],
    ['gives a promise', () => Promise.resolve(1)],
  ])('one that %s is counted, and the next one asked', (_, ratio) => {
    const pressure = createPressure(
      {},
      {
        sources: [
          [
            { name: 'broken', ratio: ratio as () => number },
            { name: 'next', ratio: () => 0.81 },
          ],
          [{ name: 'silent', ratio: () => undefined }],
        ],
      },
    )
    expect(pressure.sample()).toEqual({ level: 'normal', factor: 0.7, ratio: 0.81, source: 'next' })
    const { failures, ratios } = pressure.stats()
    expect([failures, ratios]).toEqual([{ broken: 1 }, { next: 0.81 }])
  })

  test('the worst of several rows decides, and more than all is all', () => {
    const answers = { one: 0.2, two: Number.POSITIVE_INFINITY }
    const sources = Object.entries(answers).map(([name, ratio]) => [{ name, ratio: () => ratio }])
    const pressure = createPressure({}, { sources })
    expect(pressure.sample()).toEqual({ level: 'critical', factor: 0.2, ratio: 1, source: 'two' })
    expect(pressure.stats().ratios).toEqual({ one: 0.2, two: 1 })
  })

  test('that fall silent under pressure let it go, step by step', () => {
    const { pressure, given } = rigged()
    given.ratio = 1
    pressure.sample()
    given.ratio = Number.NaN
    for (let step = 0; step < PATIENCE; step += 1) pressure.sample()
    expect(pressure.current()).toMatchObject({ level: 'high', source: 'none' })
  })
})

test('time is booked to the level that held, while somebody was subscribed', () => {
  const { pressure, given, advance } = rigged()
  given.elapsed += 5000
  const leave = pressure.subscribe(() => undefined)
  advance(1500)
  given.ratio = 0.75
  pressure.sample()
  advance(700)
  given.ratio = 1
  pressure.sample()
  advance(300)
  leave()
  given.elapsed += 5000
  expect(pressure.stats().msAt).toEqual({ none: 1500, low: 700, normal: 0, high: 0, critical: 300 })
})

describe('options', () => {
  test('thresholds of its own', () => {
    const { pressure, given } = rigged({ thresholds: { low: 0.5, normal: 0.6 } })
    given.ratio = 0.55
    expect(pressure.sample().level).toBe('low')
    given.ratio = 0.9
    expect(pressure.sample().level).toBe('high')
  })

  test.each([
    [5, /^pressure: got 5; want an object of options$/],
    [{ thresholds: { low: 0 } }, /^pressure\.thresholds\.low: got 0; /],
    [{ thresholds: { critical: 1.2 } }, /^pressure\.thresholds\.critical: got 1\.2; /],
    [{ thresholds: { low: '0.5' } }, /^pressure\.thresholds\.low: got "0\.5"; want a number/],
    [
      { thresholds: { low: 0.85 } },
      /^pressure\.thresholds: got low 0\.85 and normal 0\.8; want low < normal < high < critical$/,
    ],
    [{ interval: { calm: 0 } }, /^pressure\.interval\.calm: got 0; want more than 0 ms$/],
    [{ interval: { tense: 'soon' } }, /^pressure\.interval\.tense: got "soon"; want /],
    [{ interval: 100 }, /^pressure\.interval: got 100; want an object of options$/],
    [
      { rssLimit: '900TiB' },
      /^pressure\.rssLimit: got "900TiB"; that is .* want at most the memory there is/,
    ],
    [
      { source: { name: 'x' } },
      /^pressure\.source: got an object with name; want an object with a name and a method ratio\(\)$/,
    ],
    [
      { treshold: {} },
      /^pressure\.treshold: no such option; did you mean pressure\.thresholds\? there are thresholds, interval, rssLimit, source$/,
    ],
  ] as ReadonlyArray<readonly [unknown, RegExp]>)('%o are refused', (options, message) => {
    const attempt = (): unknown => createPressure(options as never)
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(message)
  })
})
