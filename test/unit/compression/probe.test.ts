import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Probe } from '../../../lib/compression/probe.js'

/** Which of so many chunks are tried, one after the other. */
function tried(chunks: number, pays: (index: number) => boolean): number[] {
  const probe = new Probe()
  const all: number[] = []
  for (let index = 0; index < chunks; index += 1) {
    if (!probe.tries()) continue
    all.push(index)
    probe.learn(pays(index))
  }
  return all
}

test('what pays is always tried', () => {
  expect(tried(50, () => true)).toHaveLength(50)
})

test('what does not pay is tried twice, then less and less', () => {
  expect(tried(200, () => false)).toEqual([0, 1, 10, 27, 60, 125, 190])
})

test('what pays again is tried again from there on', () => {
  expect(tried(40, (index) => index > 12)).toEqual([
    0,
    1,
    10,
    ...Array.from({ length: 13 }, (_, at) => 27 + at),
  ])
})

test('one in between that does not pay costs nothing', () => {
  expect(tried(30, (index) => index % 2 === 0)).toHaveLength(30)
})

test('a value of n chunks that do not pay costs at most 2 + 3 + n / 64 tries', () => {
  fc.assert(
    fc.property(fc.nat(20_000), (chunks) => {
      expect(tried(chunks, () => false).length).toBeLessThanOrEqual(2 + 3 + chunks / 64)
    }),
  )
})

test('many under way at once begin one rest', () => {
  const probe = new Probe()
  for (let index = 0; index < 4; index += 1) expect(probe.tries()).toBe(true)
  for (let index = 0; index < 4; index += 1) probe.learn(false)
  let rest = 0
  while (!probe.tries()) rest += 1
  expect(rest).toBe(8)
})
