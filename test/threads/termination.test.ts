import { Worker } from 'node:worker_threads'
import { afterAll, describe, expect, it } from 'vitest'
import { createCache } from '../../lib/cache/create.js'
import { native } from '../../lib/native/loader.js'
import { memoryStore } from '../../lib/store/memory/index.js'
import type { Store } from '../../lib/store/store.js'

/** How many threads die: a thousand by hand, some with all other tests. */
const DEATHS = Number(process.env['DREY_DEATHS'] ?? 40)
const AT_ONCE = 3

const options = { name: 'termination', maxBytes: 8 * 2 ** 20 }
const stores: Store[] = []

afterAll(async () => {
  for (const store of stores) await store.close()
})

/** Runs a thread that is terminated at a random moment, or exits by itself at a random step. */
async function die(): Promise<void> {
  const exitAt = Math.random() < 0.5 ? 1 + Math.floor(Math.random() * 60) : 0
  const worker = new Worker(new URL('dying.mjs', import.meta.url), { workerData: { options, exitAt } })
  const gone = new Promise<void>((resolve, reject) => {
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
  await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 150))
  await worker.terminate()
  await gone
}

describe.skipIf(native() === undefined)('threads that are terminated', () => {
  it(
    'leave nothing behind, at whatever stage of a fill and of exit',
    async () => {
      const store = memoryStore(options)
      stores.push(store)
      const cache = await createCache({ tiers: [store] })
      let left = DEATHS
      const killer = async (): Promise<void> => {
        while (left > 0) {
          left -= 1
          await die()
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
      expect(store.stats().pinnedBytes).toBe(0)
      await cache.clear()
      await cache.set('k', 'still there')
      expect(cache.getSync('k')?.value.toString()).toBe('still there')
      expect(store.stats().entries).toBe(1)
      await cache.close()
    },
    60_000 + DEATHS * 1000,
  )

  it('also where only workers load the addon', async () => {
    await Promise.all(Array.from({ length: AT_ONCE }, die))
    const reopened = memoryStore({ ...options, maxBytes: 2 ** 20 })
    // Nobody has the store of that name any more, so that other options do.
    reopened.open({ now: Date.now, onEvict: () => undefined, hearsEvictions: () => false })
    expect(reopened.stats()).toMatchObject({ entries: 0, maxBytes: 2 ** 20 })
    reopened.close()
  }, 60_000)
})
