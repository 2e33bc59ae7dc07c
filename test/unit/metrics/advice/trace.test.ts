import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Metadata } from '../../../../lib/index.js'
import { hashOf, Trace } from '../../../../lib/metrics/advice/trace.js'
import { KIND, kindOf, type TraceWindow } from '../../../../lib/metrics/advice/window.js'
import { FakeClock } from '../../../helpers/clock.js'

const MOST = 1024
const PAUSE = 63

function metadata(size: number): Metadata {
  const never = Number.POSITIVE_INFINITY
  return {
    size,
    cachedAt: 0,
    freshUntil: never,
    staleUntil: never,
    staleIfErrorUntil: never,
    negative: false,
    tags: [],
  }
}

function traceOf(entries: number, seed = 7): Trace {
  return new Trace({ clock: new FakeClock(), most: MOST, seed, entries: () => entries })
}

/** One that was full once, and found that it samples too many of so many entries. */
function loweredTrace(entries: number, seed: number): Trace {
  const trace = traceOf(entries, seed)
  for (let at = 0; at < MOST; at += 1) trace.answered(`before ${at}`, 'hit', metadata(1), true)
  return trace
}

const recorded = ({ hashes, sizes, kinds, length }: TraceWindow): number[][] =>
  Array.from({ length }, (_, at) => [hashes[at]!, sizes[at]!, kindOf(kinds[at]!)])

describe('a trace', () => {
  test('has all accesses of the keys whose hash is low enough, in their order, and no others', () => {
    const step = fc.record({
      key: fc.string({ minLength: 1, maxLength: 8 }),
      what: fc.constantFrom('hit', 'miss', 'set', 'fill', 'delete'),
      size: fc.nat(100_000),
    })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 400 }),
        fc.integer({ min: 64, max: 300 }),
        fc.nat(),
        (steps, entries, seed) => {
          const trace = loweredTrace(entries, seed)
          const { length: before, requests } = trace.window()
          const all: number[][] = []
          for (const { key, what, size } of steps) {
            if (what === 'hit') trace.answered(key, 'hit', metadata(size), true)
            else if (what === 'miss') trace.absent(key, false)
            else if (what === 'delete') trace.deleted(key)
            else trace.stored(key, what as 'set' | 'fill', metadata(size))
            const kept = what === 'miss' ? 0xffff_ffff : what === 'delete' ? key.length : size + key.length
            all.push([hashOf(key, seed), kept, KIND[what as 'hit']])
          }
          const window = trace.window()
          expect(window.rate).toBeCloseTo(MOST / 32 / entries, 6)
          expect(recorded(window).slice(before)).toEqual(all.filter(([hash]) => hash! <= window.threshold))
          expect(window.requests - requests).toBe(
            steps.filter(({ what }) => what === 'hit' || what === 'miss').length,
          )
        },
      ),
    )
  })

  test('never has more records than it may, whatever is asked', () => {
    let entries = 0
    const trace = new Trace({ clock: new FakeClock(), most: MOST, seed: 1, entries: () => entries })
    let most = 0
    for (let at = 0; at < 200_000; at += 1) {
      entries = at / 20
      trace.answered(`key ${at}`, 'hit', metadata(1), true)
      most = Math.max(most, trace.window().length)
    }
    expect(most).toBeLessThanOrEqual(MOST)
    expect(trace.window().memoryBytes).toBeLessThanOrEqual(29 * MOST)
  })

  test('samples fewer keys as the cache has more, and takes out what a lower rate would have left out', () => {
    let entries = 1
    const trace = new Trace({ clock: new FakeClock(), most: MOST, seed: 3, entries: () => entries })
    const keys = Array.from({ length: MOST - 1 }, (_, at) => `key ${at}`)
    for (const key of keys) trace.answered(key, 'hit', metadata(1), true)
    expect([trace.window().rate, trace.window().length]).toEqual([1, MOST - 1])
    entries = 128
    trace.answered('one more', 'hit', metadata(1), true)
    const window = trace.window()
    expect(window.rate).toBeCloseTo(0.25)
    expect(recorded(window).map(([hash]) => hash)).toEqual(
      [...keys, 'one more'].map((key) => hashOf(key, 3)).filter((hash) => hash <= window.threshold),
    )
    expect(window.length / MOST).toBeGreaterThan(0.2)
    expect(window.length / MOST).toBeLessThan(0.3)
  })

  test('pauses after a window, and keeps that until the next has more', () => {
    const trace = traceOf(1)
    for (let at = 0; at < MOST; at += 1) trace.answered('a', 'hit', metadata(1), true)
    const first = trace.window()
    expect(first.length).toBe(MOST)
    for (let at = 0; at < PAUSE * MOST; at += 1) trace.absent('b', true)
    trace.stored('c', 'set', metadata(1))
    expect(trace.window()).toBe(first)
    expect([first.length, first.requests]).toEqual([MOST, MOST])
    for (let at = 0; at < MOST; at += 1) trace.answered('d', 'hit', metadata(1), true)
    expect(trace.window()).not.toBe(first)
    expect(kindOf(trace.window().kinds[0]!)).toBe(KIND.set)
  })

  test('is the same for the same seed, and another for another', () => {
    const hashes = (seed: number): number[] =>
      Array.from({ length: 100 }, (_, at) => hashOf(`key ${at}`, seed))
    expect(hashes(1)).toEqual(hashes(1))
    expect(hashes(1).filter((hash, at) => hash === hashes(2)[at])).toEqual([])
  })

  test('of keys that differ little, as many are in each part of the hashes', () => {
    const parts = new Array(16).fill(0) as number[]
    for (let at = 0; at < 16_000; at += 1) parts[hashOf(`/item/${at} example.org`, 99) >>> 28]! += 1
    for (const count of parts) expect(Math.abs(count - 1000)).toBeLessThan(160)
  })
})
