import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  DEFAULT_THRESHOLDS,
  FACTORS,
  LevelTracker,
  levelAt,
  MARGIN,
  PATIENCE,
  PRESSURE_LEVELS,
} from '../../../../lib/resilience/pressure/level.js'

const rank = (level: string): number => PRESSURE_LEVELS.indexOf(level as never)
const at = (ratio: number): number => rank(levelAt(ratio, DEFAULT_THRESHOLDS))

test.each([
  [0, 'none', 1],
  [0.6999, 'none', 1],
  [0.7, 'low', 0.9],
  [0.7999, 'low', 0.9],
  [0.8, 'normal', 0.7],
  [0.9, 'high', 0.5],
  [0.9499, 'high', 0.5],
  [0.95, 'critical', 0.2],
  [1, 'critical', 0.2],
])('a ratio of %d is %s, and leaves a factor of %d', (ratio, level, factor) => {
  const reached = levelAt(ratio, DEFAULT_THRESHOLDS)
  expect([reached, FACTORS[reached]]).toEqual([level, factor])
})

describe('over samples', () => {
  const ratio = fc.oneof(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.constantFrom(
      ...Object.values(DEFAULT_THRESHOLDS).flatMap((t) => [t, t - 0.001, t - 0.01, t - MARGIN - 0.001]),
    ),
  )
  // Runs, because few random samples in a row agree.
  const samples = fc
    .array(fc.tuple(ratio, fc.integer({ min: 1, max: 2 * PATIENCE })), { minLength: 1, maxLength: 25 })
    .map((runs) => runs.flatMap(([value, times]) => Array.from({ length: times }, () => value)))

  test('it goes up at once, and down one step after a calm that lasted', () => {
    fc.assert(
      fc.property(samples, (ratios) => {
        const tracker = new LevelTracker(DEFAULT_THRESHOLDS)
        const seen: number[] = []
        let changedAt = -1
        for (const [index, value] of ratios.entries()) {
          const before = rank(tracker.level)
          const changed = tracker.take(value)
          const after = rank(tracker.level)
          seen.push(value)
          expect(changed).toBe(after !== before)
          expect(after).toBeGreaterThanOrEqual(at(value))
          if (after > before) expect(after).toBe(at(value))
          if (after < before) {
            expect(after).toBe(before - 1)
            const last = seen.slice(-PATIENCE)
            expect(index - changedAt).toBeGreaterThanOrEqual(PATIENCE)
            for (const calm of last) expect(at(calm + MARGIN)).toBeLessThan(before)
          }
          if (changed) changedAt = index
        }
      }),
    )
  })

  test('it comes to rest where the ratio does', () => {
    fc.assert(
      fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (ratios, last) => {
        const tracker = new LevelTracker(DEFAULT_THRESHOLDS)
        for (const value of ratios) tracker.take(value)
        const before = rank(tracker.level)
        for (let step = 0; step < PATIENCE * PRESSURE_LEVELS.length; step += 1) tracker.take(last)
        const after = rank(tracker.level)
        expect(after).toBeGreaterThanOrEqual(at(last))
        expect(after).toBeLessThanOrEqual(Math.max(at(last), Math.min(before, at(last + MARGIN))))
        expect(tracker.take(last)).toBe(false)
      }),
    )
  })

  test('a ratio that trembles around a threshold changes the level once', () => {
    for (const threshold of Object.values(DEFAULT_THRESHOLDS)) {
      const tracker = new LevelTracker(DEFAULT_THRESHOLDS)
      let changes = 0
      for (let step = 0; step < 1000; step += 1) {
        if (tracker.take(threshold + (step % 2 === 0 ? 0.002 : -0.002))) changes += 1
      }
      // Trembling begins above: one change, straight to the level.
      expect([changes, tracker.level]).toEqual([1, levelAt(threshold, DEFAULT_THRESHOLDS)])
    }
  })
})
