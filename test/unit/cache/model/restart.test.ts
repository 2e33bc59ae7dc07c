import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Cache, createCache, fileStore, memoryStore, notFound } from '../../../../lib/index.js'
import { patterned } from '../../../helpers/bodies.js'
import { killed } from '../../../helpers/file-model.js'
import { emptyDir } from '../../../helpers/file-rig.js'
import { until } from '../../../helpers/gate.js'
import { found } from '../../../helpers/rig.js'

/*
 * Memory over a directory, of which a restart leaves the directory: whatever was done before, afterwards every key has what it had last, from
 * below (I5, over a restart); after a death, that or nothing. The bounds are such that nothing has to leave the directory.
 */

const KEYS = ['a', 'b', 'c', 'd'] as const

const key = fc.constantFrom(...KEYS)
const size = fc.constantFrom(0, 10, 60_000, 66_000, 150_000)
const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('set', 'stream', 'fetch'), key, size }),
  fc.record({ kind: fc.constantFrom('delete', 'get', 'negative'), key, size }),
  fc.record({ kind: fc.constantFrom('clear', 'restart', 'death', 'death'), key, size }),
)

it.each(['behind', 'through', 'first'] as const)(
  'is as it was left, and what a death left is not older (I5): %s',
  async (writePolicy) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25, size: 'max' }), async (steps) => {
        let dir = emptyDir()
        const start = (): Promise<Cache> =>
          createCache({
            tiers: [
              memoryStore({ maxBytes: '1MiB', maxItemBytes: 100_000 }),
              fileStore({ dir, maxBytes: '32MiB', minFree: 0 }),
            ],
            writePolicy,
            pressure: false,
          })
        const has = new Map<string, Buffer>()
        let cache = await start()
        const check = async (at: string, mayMiss: boolean): Promise<void> => {
          const answer = await cache.get(at)
          const got = answer?.status === 'ok' ? await answer.bytes() : undefined
          const want = has.get(at)
          if (got === undefined && mayMiss) return void has.delete(at)
          expect(
            want === undefined ? got === undefined : got?.equals(want),
            `${at} after ${JSON.stringify(steps)}`,
          ).toBe(true)
        }
        for (const [n, { kind, key: at, size: length }] of steps.entries()) {
          const value = Buffer.concat([Buffer.from(`${n}:`), patterned(length, n)])
          switch (kind) {
            case 'set':
              await cache.set(at, value)
              has.set(at, value)
              break
            case 'stream':
              await cache.set(
                at,
                (async function* () {
                  yield value.subarray(0, 2)
                  yield value.subarray(2)
                })(),
              )
              has.set(at, value)
              break
            case 'fetch': {
              await cache.delete(at)
              const answer = found(await cache.fetch(at, () => ({ body: value })))
              await answer.bytes()
              await until(() => answer.stored !== undefined, 'it is stored')
              has.set(at, value)
              break
            }
            case 'negative':
              await cache.delete(at)
              await cache.fetch(at, () => notFound({ ttl: '1h' }))
              has.delete(at)
              break
            case 'delete':
              await cache.delete(at)
              has.delete(at)
              break
            case 'clear':
              await cache.clear()
              has.clear()
              break
            case 'restart':
              await cache.close()
              cache = await start()
              // What went to memory alone is gone; nothing older is there in its place.
              for (const one of KEYS) await check(one, writePolicy === 'first')
              break
            case 'death': {
              const left = killed(dir)
              await cache.close()
              dir = left
              cache = await start()
              for (const one of KEYS) await check(one, true)
              break
            }
            default:
              await check(at, false)
          }
        }
        for (const one of KEYS) await check(one, false)
        await cache.close()
      }),
      { numRuns: Number(process.env['TIERS_RUNS'] ?? 20) },
    )
  },
)
