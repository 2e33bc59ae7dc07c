import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { native } from '../../lib/native/loader.js'
import type { FileStore } from '../../lib/store/file/file-store.js'
import { fileStore } from '../../lib/store/file/index.js'
import { bytesOf, mustPut, readValue } from '../conformance/store-kit.js'
import { emptyDir, opened } from '../helpers/file-rig.js'

/*
 * Threads of one process that share a directory, and die in the middle of it.
 */

const MiB = 2 ** 20
/** How many threads die: many by hand, some with all other tests. */
const DEATHS = Number(process.env['DREY_DEATHS'] ?? 12)
const WORKER = fileURLToPath(new URL('file-worker.mjs', import.meta.url))

const optionsFor = (dir: string) => ({ dir, maxBytes: 16 * MiB, segmentBytes: MiB, minFree: 0 })

interface Running {
  readonly worker: Worker
  readonly open: Promise<void>
  /** Resolves when it has ended: whether it had done all. */
  readonly ended: Promise<boolean>
}

function run(dir: string, seed: number, steps: number): Running {
  const worker = new Worker(WORKER, { workerData: { options: optionsFor(dir), seed, steps, together: 8 } })
  let done = false
  const open = new Promise<void>((resolve) => {
    worker.on('message', (message) => {
      if (message === 'open') resolve()
      if (message === 'done') done = true
    })
    worker.on('exit', () => resolve())
  })
  const ended = new Promise<boolean>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('exit', () => resolve(done))
  })
  return { worker, open, ended }
}

async function expectUsable(store: FileStore): Promise<void> {
  await mustPut(store, 'still', bytesOf(100_000, 'still'))
  expect((await readValue(store, 'still'))?.equals(bytesOf(100_000, 'still'))).toBe(true)
  expect(store.stats()).toMatchObject({ corrupt: 0, diskErrors: 0, pinnedBytes: 0 })
  expect(store.stats().bytes).toBeLessThanOrEqual(store.stats().maxBytes)
}

describe.skipIf(native() === undefined)('threads that share a directory', () => {
  test('see each other’s entries, and the last one closes it', { timeout: 120_000 }, async () => {
    const dir = emptyDir()
    const running = [1, 2, 3].map((seed) => run(dir, seed, 400))
    const store = await opened(fileStore(optionsFor(dir)))
    expect(await Promise.all(running.map(({ ended }) => ended))).toEqual([true, true, true])
    expect(store.stats().entries).toBeGreaterThan(0)
    await expectUsable(store)
    await store.close()
    const again = await opened(fileStore(optionsFor(dir)))
    expect(again.stats().recovery).toMatchObject({ clean: true, doubt: false, damagedBytes: 0 })
    expect((await readValue(again, 'still'))?.length).toBe(100_000)
    await again.close()
  })

  test('leave a store that is usable when they are terminated', { timeout: 300_000 }, async () => {
    const dir = emptyDir()
    const store = await opened(fileStore(optionsFor(dir)))
    for (let death = 0; death < DEATHS; death += 1) {
      const { worker, open, ended } = run(dir, death + 1, 1e9)
      if (death % 4 !== 0) await open
      // At whatever stage: of loading, of opening, of operations.
      await new Promise((resolve) => setTimeout(resolve, (death * 37) % 150))
      await worker.terminate()
      expect(await ended).toBe(false)
      await expectUsable(store)
    }
    await store.close()
    const again = await opened(fileStore(optionsFor(dir)))
    expect(again.stats().recovery).toMatchObject({ clean: true, doubt: false, damagedBytes: 0 })
    await expectUsable(again)
    await again.close()
  })

  test('leave a directory that opens when the last of them is terminated', { timeout: 300_000 }, async () => {
    const dir = emptyDir()
    for (let death = 0; death < DEATHS / 2; death += 1) {
      const { worker, open } = run(dir, death + 1, 1e9)
      await open
      await new Promise((resolve) => setTimeout(resolve, (death * 53) % 150))
      await worker.terminate()
      const store = await opened(fileStore(optionsFor(dir)))
      expect(store.stats().recovery).toMatchObject({ clean: true, doubt: false, damagedBytes: 0 })
      await expectUsable(store)
      await store.close()
    }
  })
})

test('a store closes with operations under way', { timeout: 60_000 }, async () => {
  for (let round = 0; round < 5; round += 1) {
    const dir = emptyDir()
    const store = await opened(fileStore(optionsFor(dir)))
    await mustPut(store, 'large', bytesOf(MiB, 'large'))
    const outcomes: unknown[] = []
    for (let index = 0; index < 50; index += 1) {
      const value = bytesOf(index * 4000, index)
      outcomes.push(
        mustPut(store, `key ${index}`, value),
        readValue(store, 'large'),
        store.delete(`key ${index}`),
      )
    }
    const settled = Promise.allSettled(outcomes)
    if (round > 0) await new Promise((resolve) => setTimeout(resolve, round * 3))
    await store.close()
    await settled
    const again = await opened(fileStore(optionsFor(dir)))
    expect(again.stats().recovery).toMatchObject({ clean: true, doubt: false, damagedBytes: 0 })
    expect((await readValue(again, 'large'))?.equals(bytesOf(MiB, 'large'))).toBe(true)
    await again.close()
  }
})
