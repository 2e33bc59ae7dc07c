import { describe, expect, it } from 'vitest'
import { createCacheWith } from '../../../lib/cache/create.js'
import { fileStore, memoryStore } from '../../../lib/index.js'
import { patterned } from '../../helpers/bodies.js'
import { bufferPool } from '../../helpers/buffer-pool.js'
import { FakeClock } from '../../helpers/clock.js'
import { emptyDir } from '../../helpers/file-rig.js'
import { gate, until } from '../../helpers/gate.js'
import { found, rigOver } from '../../helpers/rig.js'

/*
 * Work on one key that overlaps in time.
 */

describe.each(['behind', 'through', 'first'] as const)("a write that is under way, '%s'", (writePolicy) => {
  it('outlasts what its tier gives up for a fill that ends below (I5)', async () => {
    const cache = await createCacheWith(
      {
        pressure: false,
        bufferPool,
        writePolicy,
        tiers: [
          memoryStore({ maxBytes: '1MiB', maxItemBytes: 100_000 }),
          fileStore({ dir: emptyDir(), maxBytes: '8MiB', minFree: 0 }),
        ],
      },
      { clock: new FakeClock() },
    )
    try {
      for (const written of [5000, 60_000, 300_000]) {
        await cache.set('k', 'old')
        const filled = found(
          await cache.fetch('k', () => ({ body: patterned(300_000, 1) }), {
            freshness: { fresh: () => false },
          }),
        )
        const into = cache.writer('k')
        const value = patterned(written, 2)
        await new Promise((taken) => into.write(value.subarray(0, 2000), taken))
        expect((await filled.bytes()).length).toBe(300_000)
        await until(() => cache.stats().filling === 0, 'the fill has ended')
        expect(await cache.stat('k')).toMatchObject({ size: 300_000 })
        await new Promise((done) => into.end(value.subarray(2000), () => done(undefined)))
        expect((await found(await cache.get('k')).bytes()).equals(value)).toBe(true)
      }
    } finally {
      await cache.close()
    }
  })
})

it('what answers an origin that failed is what was found last, not what was there when it was asked', async () => {
  const { cache, clock } = await rigOver(memoryStore({ maxBytes: '1MiB' }))
  await cache.set('k', 'first', { ttl: 1000, staleIfError: '1h' })
  clock.advance(2000)
  const rest = gate()
  const body = async function* () {
    yield 'sec'
    await rest.opened
    yield 'ond'
  }
  const second = found(
    await cache.fetch('k', () => ({ body: body(), tags: ['t'], ttl: '1h', staleIfError: '1h' })),
  )
  // What arrives is stale before it is there, so that who comes now asks anew.
  await cache.invalidateTags(['t'], { soft: true })
  const asked = gate()
  const failing = async (): Promise<never> => {
    await asked.opened
    throw new Error('the origin is gone')
  }
  const early = cache.fetch('k', failing)
  rest.open()
  expect(await second.text()).toBe('second')
  await until(() => cache.stats().filling === 1, 'it is there')
  const late = cache.fetch('k', failing)
  asked.open()
  expect(await found(await late).text()).toBe('second')
  expect(await found(await early).text()).toBe('second')
  expect(cache.stats()).toMatchObject({ fills: 2, stale: 2 })
})
