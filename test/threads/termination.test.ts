import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { createCache } from '../../lib/cache/create.js'
import { native } from '../../lib/native/loader.js'
import { memoryStore } from '../../lib/store/memory/index.js'
import type { Store } from '../../lib/store/store.js'
import { die } from './die.mjs'

/** How many threads die: a thousand by hand, some with all other tests. */
const DEATHS = Number(process.env['DREY_DEATHS'] ?? 40)
const AT_ONCE = 3
const ONLY_WORKERS = fileURLToPath(new URL('only-workers.mjs', import.meta.url))

const execute = promisify(execFile)

const options = { name: 'termination', maxBytes: 8 * 2 ** 20 }
const stores: Store[] = []

afterAll(async () => {
  for (const store of stores) await store.close()
})

describe.skipIf(native() === undefined)('threads that are terminated', () => {
  it(
    'leave nothing behind, at whatever stage of a fill and of exit (I12)',
    async () => {
      const store = memoryStore(options)
      stores.push(store)
      const cache = await createCache({ tiers: [store] })
      let left = DEATHS
      let opened = 0
      const killer = async (): Promise<void> => {
        while (left > 0) {
          left -= 1
          if (await die(options)) opened += 1
          // Who lives is served meanwhile, whoever led the fill.
          const answer = await cache.fetch(`key ${left % 5}`, () => ({ body: Buffer.alloc(300_001, 0x61) }))
          if (answer.status !== 'ok') throw new Error(answer.status)
          const bytes = await answer.bytes().catch((error: { code?: string }) => {
            // The body was another thread's, which went.
            expect(error.code).toBe('ERR_DREY_TRUNCATED')
          })
          if (bytes !== undefined) expect(bytes.equals(Buffer.alloc(300_001, 0x61))).toBe(true)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, killer))
      expect(opened).toBeGreaterThan(DEATHS / 8)
      expect(store.stats().pinnedBytes).toBe(0)
      await cache.clear()
      await cache.set('k', 'still there')
      expect(cache.getSync('k')?.value.toString()).toBe('still there')
      expect(store.stats().entries).toBe(1)
      await cache.close()
    },
    60_000 + DEATHS * 1000,
  )

  it(
    'also where only workers load the addon',
    async () => {
      // A process of its own: this one has the addon.
      const { stdout } = await execute(process.execPath, [ONLY_WORKERS, String(DEATHS)])
      const { opened, ...left } = JSON.parse(stdout)
      expect(opened).toBeGreaterThan(DEATHS / 8)
      expect(left).toMatchObject({ entries: 0, pinnedBytes: 0, maxBytes: 2 ** 20 })
    },
    60_000 + DEATHS * 1000,
  )
})
