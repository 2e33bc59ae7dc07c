import { describe, expect, test } from 'vitest'
import { pieceBytesAmong } from '../../../lib/cache/turns.js'
import type { Found } from '../../../lib/index.js'
import { found, rig } from '../../helpers/rig.js'

const MiB = 2 ** 20

/** Counts the turns of the event loop while `work` goes on. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let over = false
  let turns = 0
  const count = (): void => {
    turns += 1
    if (!over) setImmediate(count)
  }
  setImmediate(count)
  await work
  over = true
  return turns
}

async function sizesOf(pieces: AsyncIterable<Uint8Array>): Promise<number[]> {
  const sizes: number[] = []
  for await (const piece of pieces) sizes.push(piece.length)
  return sizes
}

const total = (sizes: readonly number[]): number => sizes.reduce((sum, size) => sum + size, 0)

describe.each([
  ['iterated', (body: Found) => body],
  ['a Node stream', (body: Found) => body.stream()],
  ['a web stream', (body: Found) => body.web() as AsyncIterable<Uint8Array>],
] as const)('a body that is all there, %s', (_, shape) => {
  test('leaves the event loop its turns', async () => {
    const { cache } = await rig('memory')
    await cache.set('large', Buffer.alloc(8 * MiB, 1))
    const reading = sizesOf(shape(found(await cache.get('large'))))
    // At most 256 KiB, and the piece that passes it, within one turn.
    expect(await turnsDuring(reading)).toBeGreaterThanOrEqual((8 * MiB) / (320 * 1024))
    expect(total(await reading)).toBe(8 * MiB)
  })

  test('is given in turns to many readers, none of which is left behind', async () => {
    const { cache } = await rig('memory')
    await cache.set('large', Buffer.alloc(2 * MiB, 1))
    const readers = await Promise.all(Array.from({ length: 50 }, () => cache.get('large').then(found)))
    const given = readers.map(() => 0)
    let furthestApart = 0
    await Promise.all(
      readers.map(async (reader, at) => {
        for await (const piece of shape(reader)) {
          given[at]! += piece.length
          furthestApart = Math.max(furthestApart, Math.max(...given) - Math.min(...given))
        }
      }),
    )
    expect(given).toEqual(readers.map(() => 2 * MiB))
    expect(furthestApart).toBeLessThanOrEqual(512 * 1024)
  })
})

test('a reader that is left while it waits for its turn ends, and gives its entry back', async () => {
  const { cache } = await rig('memory')
  await cache.set('large', Buffer.alloc(4 * MiB, 1))
  const body = found(await cache.get('large'))
  const pieces = body[Symbol.asyncIterator]()
  // All of a turn is asked for at once, so that the last of these wait.
  const asked = Array.from({ length: 20 }, () => pieces.next())
  await asked[0]
  await pieces.return!()
  const settled = await Promise.allSettled(asked)
  expect(settled[0]).toMatchObject({ status: 'fulfilled', value: { done: false } })
  expect(settled.at(-1)).toEqual({ status: 'fulfilled', value: { done: true, value: undefined } })
  expect(cache.stats().openBodies).toBe(0)
  expect(await pieces.next()).toEqual({ done: true, value: undefined })
})

test('a body that is closed while its reader waits for a turn breaks off', async () => {
  const { cache } = await rig('memory')
  await cache.set('large', Buffer.alloc(4 * MiB, 1))
  const body = found(await cache.get('large'))
  let bytes = 0
  const reading = (async () => {
    for await (const piece of body) {
      bytes += piece.length
      if (bytes >= MiB) body.close()
    }
  })()
  await expect(reading).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
  expect(bytes).toBe(MiB)
  expect(cache.stats().openBodies).toBe(0)
})

test('pieces become smaller when there are many readers, and together they stay within some MiB', () => {
  for (const readers of [0, 1, 10, 64, 65, 128, 129, 200, 256]) {
    const bytes = pieceBytesAmong(readers)
    expect(bytes).toBeGreaterThanOrEqual(16 * 1024)
    expect(bytes).toBeLessThanOrEqual(64 * 1024)
    expect(bytes * readers).toBeLessThanOrEqual(4 * MiB)
  }
})
