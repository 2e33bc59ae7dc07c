import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrequencySketch } from '../../../lib/policy/sketch.js'
import { WindowClimber } from '../../../lib/policy/window-climber.js'
import { hashOf } from './simulate.js'

const LARGE = 2 ** 40

/** Random numbers from 0 to below 1, the same at every run. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function grown(capacity: number): FrequencySketch {
  const sketch = new FrequencySketch(capacity)
  sketch.grow(1)
  return sketch
}

describe('frequency sketch', () => {
  it('never estimates too low, up to 15, until it ages', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(200), { maxLength: 600 }), (uses) => {
        const sketch = grown(LARGE)
        const exact = new Map<number, number>()
        for (const id of uses) {
          sketch.count(hashOf(id), 64)
          exact.set(id, (exact.get(id) ?? 0) + 1)
          expect(sketch.estimate(hashOf(id))).toBeGreaterThanOrEqual(Math.min(15, exact.get(id)!))
        }
      }),
    )
  })

  it('is within its bound for all but a sixteenth of the keys, and mostly exact', () => {
    // Uses as a busy cache has them: Zipf's law over ten times as many keys as entries.
    const entries = 4096
    const random = randomFrom(1)
    const sketch = grown(LARGE)
    sketch.grow(entries)
    const exact = new Uint32Array(10 * entries)
    for (let at = 0; at < 10 * entries - 1; at += 1) {
      const id = Math.floor(exact.length ** random())
      exact[id]! += 1
      sketch.count(hashOf(id), entries)
    }
    const errors = Array.from(exact, (count, id) => sketch.estimate(hashOf(id)) - Math.min(15, count))
    expect(Math.min(...errors)).toBe(0)
    expect(errors.filter((error) => error > 5).length / errors.length).toBeLessThan(1 / 16)
    expect(errors.filter((error) => error === 0).length / errors.length).toBeGreaterThan(0.9)
  })

  it('halves all counts after ten uses for each entry', () => {
    const sketch = grown(LARGE)
    for (let times = 0; times < 12; times += 1) sketch.count(hashOf(1), 100)
    for (let id = 2; sketch.estimate(hashOf(1)) === 12 && id < 2000; id += 1) sketch.count(hashOf(id), 100)
    expect(sketch.estimate(hashOf(1))).toBe(6)
    const one = grown(LARGE)
    for (let id = 0; id < 999; id += 1) one.count(hashOf(id), 100)
    expect(one.estimate(hashOf(998))).toBe(1)
    one.count(hashOf(998), 100)
    expect(one.estimate(hashOf(998))).toBe(1)
  })

  it('counts a use that halving has taken away as none', () => {
    const sketch = grown(LARGE)
    for (let id = 1; id <= 640; id += 1) sketch.count(hashOf(id), 64)
    expect(sketch.estimate(hashOf(1))).toBe(0)
    // Nearly all of the 640 were ones, so nearly 640 more are to come.
    for (let times = 0; times < 12; times += 1) sketch.count(hashOf(0), 64)
    for (let id = 1000; id < 1500; id += 1) sketch.count(hashOf(id), 64)
    expect(sketch.estimate(hashOf(0))).toBe(12)
    for (let id = 1500; id < 1700; id += 1) sketch.count(hashOf(id), 64)
    expect(sketch.estimate(hashOf(0))).toBe(6)
  })

  it('changes no estimate when it grows, and grows by doubling', () => {
    const sketch = grown(LARGE)
    const random = randomFrom(2)
    for (let at = 0; at < 3000; at += 1) sketch.count(hashOf(Math.floor(500 ** random())), 1000)
    const before = Array.from({ length: 500 }, (_, id) => sketch.estimate(hashOf(id)))
    expect(sketch.memoryBytes).toBe(4096)
    sketch.grow(512)
    expect(sketch.memoryBytes).toBe(4096)
    sketch.grow(513)
    expect(sketch.memoryBytes).toBe(8192)
    expect(Array.from({ length: 500 }, (_, id) => sketch.estimate(hashOf(id)))).toEqual(before)
  })

  it('counts nothing without memory, and what it can when it may not have more', () => {
    let left = 0
    const sketch = new FrequencySketch(2 ** 30, (bytes) => {
      if (bytes > left) return false
      left -= bytes
      return true
    })
    sketch.grow(1)
    sketch.count(7, 1)
    expect([sketch.memoryBytes, sketch.estimate(7)]).toEqual([0, 0])
    left = 10_000
    sketch.grow(10_000)
    sketch.count(7, 1)
    expect([sketch.memoryBytes, sketch.estimate(7), left]).toEqual([8192, 1, 10_000 - 8192])
  })

  it('takes at most one part in 160 of the capacity', () => {
    const sketch = new FrequencySketch(160 * 2 ** 13)
    for (let entries = 1; entries < 2 ** 20; entries *= 2) sketch.grow(entries)
    expect(sketch.memoryBytes).toBe(2 ** 13)
  })
})

describe('window climber', () => {
  /** What it says after a sample of 1000 uses with so many hits. */
  function sample(climber: WindowClimber, hits: number): number {
    for (let at = 0; at < hits; at += 1) climber.hit()
    for (let at = hits; at < 999; at += 1) climber.miss()
    expect(climber.climb(1000)).toBe(0)
    climber.miss()
    return climber.climb(1000)
  }

  it('goes on where hits increase, turns where they decrease, by ever smaller steps', () => {
    const climber = new WindowClimber(16_000)
    expect(sample(climber, 500)).toBe(1000)
    expect(sample(climber, 510)).toBe(1000)
    expect(sample(climber, 515)).toBe(980)
    expect(sample(climber, 505)).toBe(-960)
    expect(sample(climber, 505)).toBe(-941)
    expect(sample(climber, 500)).toBe(922)
  })

  it('begins anew with a whole step when hits change by five points', () => {
    const climber = new WindowClimber(16_000)
    sample(climber, 500)
    for (let times = 0; times < 50; times += 1) sample(climber, 501)
    const small = sample(climber, 501)
    expect(small).toBeLessThan(500)
    const turned = sample(climber, 440)
    expect(turned).toBeLessThan(0)
    expect(sample(climber, 441)).toBe(-1000)
  })
})
