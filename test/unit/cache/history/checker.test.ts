import { describe, expect, it } from 'vitest'
import { type Events, type Read, type Value, violations } from '../../../helpers/history.js'

/*
 * What the other tests ask about histories is worth something: wrong ones are told from right ones.
 */

const value = (id: number, start: number, end: number, more: Partial<Value> = {}): Value => ({
  id,
  key: 'k',
  kind: 'set',
  start,
  end,
  done: true,
  ...more,
})
const fill = (id: number, start: number, more: Partial<Value> = {}): Value =>
  value(id, start, Number.POSITIVE_INFINITY, { kind: 'fill', done: false, ...more })
const read = (of: number, start: number, end: number, more: Partial<Read> = {}): Read => ({
  key: 'k',
  value: of,
  start,
  end,
  stored: true,
  ...more,
})
const removed = (start: number, end: number) => ({ key: 'k', start, end })

const wrong = (events: Partial<Events>): string[] =>
  violations({ values: [], reads: [], removals: [], ...events })

describe('is right', () => {
  it.each<[string, Partial<Events>]>([
    ['the last value', { values: [value(1, 0, 1), value(2, 2, 3)], reads: [read(2, 4, 5)] }],
    ['one that overlaps with the last', { values: [value(1, 0, 3), value(2, 2, 4)], reads: [read(1, 5, 6)] }],
    ['one that is replaced meanwhile', { values: [value(1, 0, 1), value(2, 2, 6)], reads: [read(1, 3, 7)] }],
    [
      'one that is removed meanwhile',
      { values: [value(1, 0, 1)], reads: [read(1, 2, 5)], removals: [removed(3, 4)] },
    ],
    [
      'one that is set after a removal',
      { values: [value(1, 4, 5)], reads: [read(1, 6, 7)], removals: [removed(2, 3)] },
    ],
    [
      'one of which is not known what became',
      { values: [value(1, 0, 9, { done: false })], reads: [read(1, 1, 2)] },
    ],
    [
      'an older one after a fill that was joined and may not have been kept',
      { values: [value(1, 0, 1), fill(2, 2)], reads: [read(2, 2, 4, { stored: false }), read(1, 5, 6)] },
    ],
    [
      'one before what a death lost',
      { values: [value(1, 0, 1), value(2, 2, 3)], kills: [4], reads: [read(1, 5, 6)] },
    ],
    [
      'a removal in another thread, of which it cannot be told which came first',
      { values: [value(1, 0, 5)], removals: [removed(1, 4)], reads: [read(1, 6, 7)], ordered: false },
    ],
    [
      'another tag',
      {
        values: [value(1, 0, 1, { tags: ['red'] })],
        removals: [{ tags: ['blue'], start: 2, end: 3 }],
        reads: [read(1, 4, 5)],
      },
    ],
    [
      'one that its origin confirmed since its tag was made stale',
      {
        values: [value(1, 0, 1, { tags: ['red'], confirmed: 4 })],
        removals: [{ tags: ['red'], soft: true, start: 2, end: 3 }],
        reads: [read(1, 5, 6, { fresh: true })],
      },
    ],
  ])('%s', (_, events) => {
    expect(wrong(events)).toEqual([])
  })
})

describe('is wrong', () => {
  it.each<[string, Partial<Events>]>([
    ['a value that was never written', { reads: [read(1, 0, 1)] }],
    ['a value of another key', { values: [value(1, 0, 1, { key: 'other' })], reads: [read(1, 2, 3)] }],
    ['a value that is not written yet', { values: [value(1, 5, 6)], reads: [read(1, 2, 3)] }],
    ['a value that broke off', { values: [value(1, 0, 1, { failed: true })], reads: [read(1, 2, 3)] }],
    ['one that was replaced', { values: [value(1, 0, 1), value(2, 2, 3)], reads: [read(1, 4, 5)] }],
    ['one that was removed', { values: [value(1, 0, 1)], removals: [removed(2, 3)], reads: [read(1, 4, 5)] }],
    [
      'one that was removed while it was written',
      { values: [value(1, 0, 9)], removals: [removed(2, 3)], reads: [read(1, 10, 11)] },
    ],
    [
      'one that was removed with all others',
      { values: [value(1, 0, 1)], removals: [{ start: 2, end: 3 }], reads: [read(1, 4, 5)] },
    ],
    ['one that was fetched before a write', { values: [fill(1, 0), value(2, 1, 2)], reads: [read(1, 3, 4)] }],
    [
      'one that was fetched before a removal',
      { values: [fill(1, 0)], removals: [removed(1, 2)], reads: [read(1, 3, 4)] },
    ],
    [
      'an older one after a newer one was read, though its writing goes on',
      { values: [value(1, 0, 1), value(2, 2, 9)], reads: [read(2, 3, 4), read(1, 5, 6)] },
    ],
    [
      'an older one after one was read that an origin gave',
      { values: [value(1, 0, 1), fill(2, 2)], reads: [read(2, 3, 4), read(1, 5, 6)] },
    ],
    [
      'one that a restart brought back',
      { values: [value(1, 0, 1)], removals: [removed(2, 3)], kills: [4], reads: [read(1, 5, 6)] },
    ],
    [
      'one that a death brought back in place of one that was on the disk',
      { values: [value(1, 0, 1), value(2, 2, 3, { durable: true })], kills: [4], reads: [read(1, 5, 6)] },
    ],
    [
      'one that was lost with a death, and came again',
      { values: [value(1, 0, 1), value(2, 2, 3)], kills: [4], reads: [read(1, 5, 6), read(2, 7, 8)] },
    ],
    [
      'one that its tag removed',
      {
        values: [value(1, 0, 1, { tags: ['red'] })],
        removals: [{ tags: ['red'], start: 2, end: 3 }],
        reads: [read(1, 4, 5)],
      },
    ],
    [
      'one that its tag made stale, as fresh',
      {
        values: [value(1, 0, 1, { tags: ['red'] })],
        removals: [{ tags: ['red'], soft: true, start: 2, end: 3 }],
        reads: [read(1, 4, 5, { fresh: true })],
      },
    ],
  ])('%s', (_, events) => {
    expect(wrong(events)).toHaveLength(1)
  })

  const batch = { keys: ['k', 'l'], start: 2 }
  const values = [value(1, 0, 1), value(2, 2, 9, { batch }), value(3, 2, 9, { key: 'l', batch })]

  it('a batch that is there in part, in one answer', () => {
    const reads = [read(1, 3, 4, { group: 1 }), read(3, 3, 4, { key: 'l', group: 1 })]
    expect(wrong({ values, reads })).toHaveLength(1)
    expect(wrong({ values, reads: reads.map(({ group, ...rest }) => rest) })).toEqual([])
  })

  it('a batch that is there in part, one after the other', () => {
    expect(wrong({ values, reads: [read(3, 3, 4, { key: 'l' }), read(1, 5, 6)] })).toHaveLength(1)
    expect(wrong({ values, reads: [read(1, 3, 4), read(3, 5, 6, { key: 'l' })] })).toEqual([])
  })

  it('a batch that is there in part after a death', () => {
    const reads = [read(1, 11, 12), read(3, 13, 14, { key: 'l' })]
    expect(wrong({ values, kills: [10], reads })).toHaveLength(1)
  })
})
