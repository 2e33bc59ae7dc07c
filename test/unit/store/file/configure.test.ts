import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ClosedError, ConfigError } from '../../../../lib/errors.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import { DURABILITIES, FILE_POLICY_NAMES, type FileConfig } from '../../../../lib/store/file/options.js'
import {
  bytesOf,
  expectBytes,
  keysOf,
  metadataFor,
  mustFind,
  mustPut,
  put,
  readValue,
} from '../../../conformance/store-kit.js'
import { blocksOf, killed } from '../../../helpers/file-model.js'
import { type Engine, emptyDir, enginesOfPath, opened } from '../../../helpers/file-rig.js'

/*
 * Changing a file store while it runs, by both enginesOfPath.
 */

const KiB = 1024
const MiB = 1024 * KiB
/** A factor for the long job. */
const MORE = Number(process.env['DREY_CONFIGURE_RUNS'] ?? 1)

const keyAt = (at: number): string => `key ${at}`

async function change(store: FileStore, patch: Parameters<FileStore['configure']>[0]): Promise<void> {
  await store.configure(patch).apply()
}

/** Waits until the bound that holds is the one that was asked for. */
async function arrived(store: FileStore, maxBytes: number): Promise<void> {
  for (let look = 0; look < 2000 && store.stats().maxBytes > maxBytes; look += 1) {
    await new Promise((go) => setTimeout(go, 2))
  }
  expect(store.stats().maxBytes).toBe(maxBytes)
}

async function fill(store: FileStore, from: number, count: number, size: number): Promise<void> {
  for (let at = from; at < from + count; at += 1) await put(store, keyAt(at), bytesOf(size, at))
}

/** What is there is right; says how much. */
async function whole(store: FileStore, size: (at: number) => number): Promise<number> {
  const keys = await keysOf(store)
  for (const key of keys) {
    const at = Number(key.slice(4))
    const there = await readValue(store, key)
    if (there !== undefined) expectBytes(there, bytesOf(size(at), at))
  }
  return keys.length
}

describe.each(enginesOfPath())('the $name engine', ({ make, name }: Engine) => {
  const open = (more: Partial<FileConfig> = {}): Promise<FileStore> =>
    opened(make({ reclaimRate: 0, ...more }))

  test('a larger bound keeps everything, and lets more in', async () => {
    const store = await open({ maxBytes: 4 * MiB })
    await fill(store, 0, 200, 8 * KiB)
    await change(store, { maxBytes: 32 * MiB })
    expect(store.stats()).toMatchObject({ maxBytes: 32 * MiB, evictions: 0 })
    await fill(store, 200, 1500, 8 * KiB)
    expect(store.stats()).toMatchObject({ entries: 1700, evictions: 0 })
    await store.close()
  })

  test.each([
    ['records', 8 * KiB, 1500],
    ['blobs', 100 * KiB, 140],
  ])('a smaller bound is come down to in the background, and never up: %s', async (_, size, count) => {
    const dir = emptyDir()
    const store = await open({ dir, maxBytes: 16 * MiB, packLimit: 16 * KiB })
    await fill(store, 0, count, size)
    const before = store.stats()
    expect(before.bytes).toBeGreaterThan(8 * MiB)
    await change(store, { maxBytes: 3 * MiB })
    let last = store.stats().maxBytes
    expect(last).toBeLessThanOrEqual(16 * MiB)
    for (let look = 0; look < 2000 && last > 3 * MiB; look += 1) {
      const { bytes, maxBytes } = store.stats()
      expect(maxBytes).toBeLessThanOrEqual(last)
      expect(bytes).toBeLessThanOrEqual(maxBytes)
      expect(blocksOf(dir)).toBeLessThanOrEqual(last)
      last = maxBytes
      await new Promise((go) => setTimeout(go, 1))
    }
    expect(last).toBe(3 * MiB)
    expect(blocksOf(dir)).toBeLessThanOrEqual(3 * MiB)
    expect(await whole(store, () => size)).toBeGreaterThan(5)
    expect(store.stats().entries).toBeLessThan(count)
    await store.close()
  })

  test('a smaller bound is not grown out of by who writes meanwhile', async () => {
    const dir = emptyDir()
    const store = await open({ dir, maxBytes: 16 * MiB, packLimit: 16 * KiB, reclaimRate: 256 * KiB })
    const size = (at: number): number => (at % 10 === 0 ? 60 * KiB : 6 * KiB)
    for (let at = 0; at < 1200; at += 1) await put(store, keyAt(at), bytesOf(size(at), at))
    await change(store, { maxBytes: 4 * MiB })
    let last = store.stats().maxBytes
    let at = 1200
    for (; at < 6000 && last > 4 * MiB; at += 8) {
      await Promise.all(
        [0, 1, 2, 3, 4, 5, 6, 7].map((more) =>
          put(store, keyAt(at + more), bytesOf(size(at + more), at + more)),
        ),
      )
      const { bytes, maxBytes } = store.stats()
      expect(maxBytes).toBeLessThanOrEqual(last)
      expect(bytes).toBeLessThanOrEqual(maxBytes)
      last = maxBytes
    }
    await arrived(store, 4 * MiB)
    expect(blocksOf(dir)).toBeLessThanOrEqual(4 * MiB)
    await mustPut(store, keyAt(0), bytesOf(size(0), 0))
    expect(await whole(store, size)).toBeGreaterThan(50)
    await store.close()
  })

  test('an entry that is being read outlasts the bound, and is given back by its reader', async () => {
    const store = await open({ maxBytes: 8 * MiB, packLimit: 16 * KiB, maxItemBytes: 2 * MiB })
    await mustPut(store, 'read', bytesOf(2 * MiB, 'read'))
    const reading = await mustFind(store, 'read')
    await fill(store, 0, 500, 8 * KiB)
    await change(store, { maxBytes: 2 * MiB, maxItemBytes: 512 * KiB })
    for (let look = 0; look < 20; look += 1) await put(store, keyAt(look), bytesOf(8 * KiB, look))
    const copy = Buffer.alloc(2 * MiB)
    for (let at = 0; at < copy.length; ) at += (await reading.read(copy.subarray(at), at)) || copy.length
    expectBytes(copy, bytesOf(2 * MiB, 'read'))
    reading.release()
    for (let at = 0; at < 50; at += 1) await put(store, keyAt(at), bytesOf(8 * KiB, at))
    await arrived(store, 2 * MiB)
    await store.close()
  })

  test('undo is as before, on the way down too', async () => {
    const store = await open({ maxBytes: 16 * MiB, reclaimRate: 64 * KiB })
    await fill(store, 0, 1500, 8 * KiB)
    const made = store.configure({
      maxBytes: 3 * MiB,
      policy: 'fifo',
      durability: 'none',
      compression: 'gzip',
    })
    expect(made.changes).toEqual([
      { path: 'compression', from: 'none', to: 'gzip' },
      { path: 'maxBytes', from: 16 * MiB, to: 3 * MiB },
      { path: 'policy', from: 's3-fifo', to: 'fifo' },
      { path: 'durability', from: 'process', to: 'none' },
    ])
    await made.apply()
    await made.undo()
    expect(store.stats()).toMatchObject({ maxBytes: 16 * MiB })
    expect(
      store.configure({ policy: 's3-fifo', durability: 'process', compression: 'none' }).changes,
    ).toEqual([])
    await fill(store, 0, 1500, 8 * KiB)
    expect(store.stats().entries).toBeGreaterThan(1300)
    await store.close()
  })

  test.each(FILE_POLICY_NAMES.flatMap((from) => FILE_POLICY_NAMES.map((to) => [from, to] as const)))(
    'another policy, from %s to %s, goes on with who was worth another turn',
    async (from, to) => {
      const store = await open({ maxBytes: 4 * MiB, segmentBytes: 128 * KiB, policy: from })
      await fill(store, 0, 60, 8 * KiB)
      const hot = [1, 5, 9, 13]
      for (let round = 0; round < 4; round += 1) {
        for (const at of hot) (await mustFind(store, keyAt(at))).release()
      }
      await change(store, { policy: to })
      expect(store.stats()).toMatchObject({ entries: 60, evictions: 0 })
      for (let at = 100; at < 900; at += 4) {
        await fill(store, at, 4, 8 * KiB)
        for (const key of hot) (await store.find(keyAt(key)))?.release()
        const { bytes, maxBytes } = store.stats()
        expect(bytes).toBeLessThanOrEqual(maxBytes)
      }
      const kept = (
        await Promise.all(hot.map(async (at) => (await readValue(store, keyAt(at))) !== undefined))
      ).filter((is) => is).length
      // Natively a write that finds no room evicts whatever the policy says; with the js engine it waits.
      if (to === 'fifo') expect(kept).toBe(0)
      else if (name === 'js') expect(kept).toBeGreaterThan(hot.length / 2)
      await whole(store, () => 8 * KiB)
      await store.close()
    },
  )

  test.each(DURABILITIES.flatMap((from) => DURABILITIES.map((to) => [from, to] as const)))(
    'durability from %s to %s: what was acknowledged is found, and there after a kill',
    async (from, to) => {
      const dir = emptyDir()
      const store = await open({ dir, durability: from })
      const writing = Array.from({ length: 40 }, (_, at) => mustPut(store, keyAt(at), bytesOf(2000 + at, at)))
      const changed = change(store, { durability: to })
      for (let at = 40; at < 80; at += 1) writing.push(mustPut(store, keyAt(at), bytesOf(2000 + at, at)))
      await Promise.all(writing)
      await changed
      for (let at = 80; at < 100; at += 1) await mustPut(store, keyAt(at), bytesOf(2000 + at, at))
      for (let at = 0; at < 100; at += 1)
        expectBytes(await readValue(store, keyAt(at)), bytesOf(2000 + at, at))
      if (to === 'none') await keysOf(store)
      const again = await opened(make({ dir: killed(dir), durability: from }))
      for (let at = 0; at < 100; at += 1)
        expectBytes(await readValue(again, keyAt(at)), bytesOf(2000 + at, at))
      expect(again.stats().recovery).toMatchObject({ damagedBytes: 0, doubt: false })
      await again.close()
      await store.close()
    },
  )

  test('compression is for what is written from then on, and what is there is read', async () => {
    const dir = emptyDir()
    const store = await open({ dir, packLimit: 16 * KiB, maxBytes: 16 * MiB })
    const text = (at: number): Buffer => Buffer.from(`text ${at} `.repeat(6000))
    const codecs = ['none', 'lz4', 'gzip', 'none', 'lz4'] as const
    for (const [turn, compression] of codecs.entries()) {
      const draft = (await store.draft(`${turn} open`, undefined))!
      expect(await draft.write(text(turn))).toBe(true)
      await change(store, { compression })
      expect(await draft.write(text(turn))).toBe(true)
      const twice = Buffer.concat([text(turn), text(turn)])
      expect(await draft.commit(metadataFor(twice.length))).toBe(true)
      await mustPut(store, `${turn}`, text(turn))
      const entry = await mustFind(store, `${turn}`)
      expect(entry.metadata.compression?.codec ?? 'none').toBe(compression)
      entry.release()
    }
    const check = async (from: FileStore): Promise<void> => {
      for (const turn of codecs.keys()) {
        expectBytes(await readValue(from, `${turn}`), text(turn))
        expectBytes(await readValue(from, `${turn} open`), Buffer.concat([text(turn), text(turn)]))
      }
    }
    await check(store)
    await store.close()
    const again = await opened(make({ dir, packLimit: 16 * KiB, maxBytes: 16 * MiB }))
    await check(again)
    await again.close()
  })

  test('a smaller bound of the index evicts, and a larger one lets more in', async () => {
    const store = await open({ maxBytes: 64 * MiB, maxIndexBytes: 16 * MiB, segmentBytes: MiB })
    for (let from = 0; from < 120_000; from += 1000) {
      await Promise.all(
        Array.from({ length: 1000 }, (_, at) => put(store, keyAt(from + at), bytesOf(20, at))),
      )
    }
    expect(store.stats().entries).toBe(120_000)
    await change(store, { maxIndexBytes: 4 * MiB })
    for (let look = 0; look < 2000 && store.stats().entries > 90_000; look += 1) {
      await new Promise((go) => setTimeout(go, 2))
    }
    for (let at = 0; at < 50; at += 1) await mustPut(store, `more ${at}`, bytesOf(20, at))
    const { entries, indexBytes } = store.stats()
    expect(entries).toBeGreaterThan(30_000)
    expect(entries).toBeLessThan(90_000)
    expect(indexBytes).toBeLessThanOrEqual(name === 'native' ? 4 * MiB : 5 * MiB)
    await change(store, { maxIndexBytes: 16 * MiB })
    for (let from = 200_000; from < 240_000; from += 1000) {
      await Promise.all(
        Array.from({ length: 1000 }, (_, at) => put(store, keyAt(from + at), bytesOf(20, at))),
      )
    }
    expect(store.stats().entries).toBe(entries + 40_000)
    await store.close()
  })

  test('the number of readers goes up and down under way', async () => {
    const store = await open({ packLimit: 4 * KiB, maxBytes: 8 * MiB, openFiles: 8 })
    await fill(store, 0, 100, 20 * KiB)
    for (const readConcurrency of [1, 16, 2, 128, 4, 1]) {
      const reading = Array.from({ length: 100 }, async (_, at) =>
        expectBytes(await readValue(store, keyAt(at)), bytesOf(20 * KiB, at)),
      )
      await change(store, { readConcurrency, openFiles: readConcurrency * 8 })
      await Promise.all(reading)
    }
    await store.close()
  })

  test('options given at the next open win', async () => {
    const dir = emptyDir()
    const store = await open({ dir, maxBytes: 4 * MiB })
    await change(store, { maxBytes: 16 * MiB, policy: 'lru' })
    await fill(store, 0, 1200, 8 * KiB)
    expect(store.stats().bytes).toBeGreaterThan(8 * MiB)
    const again = await opened(make({ dir: killed(dir), maxBytes: 4 * MiB, reclaimRate: 0 }))
    expect(again.stats().maxBytes).toBe(4 * MiB)
    expect(again.stats().bytes).toBeLessThanOrEqual(4 * MiB)
    expect(await whole(again, () => 8 * KiB)).toBeGreaterThan(50)
    await again.close()
    await store.close()
  })

  test.each([
    [{ maxBytes: '1MiB' }, /^configure\.maxBytes: got "1MiB"; want at least 8 segments, 2097152 bytes/],
    [{ maxBytes: -1 }, /^configure\.maxBytes: got -1; want/],
    [{ policy: 'w-tinylfu' }, /^configure\.policy: got "w-tinylfu"; want one of "fifo"/],
    [{ maxItemBytes: '4MiB' }, /^configure\.maxItemBytes: got "4MiB"; want at most half of maxBytes/],
    [
      { dir: '/elsewhere' },
      /^configure\.dir: got "\/elsewhere"; it stays .* another directory is another store$/,
    ],
    [{ partitions: 64 }, /^configure\.partitions: got 64; it stays what the store was made with, 4: /],
    [{ segmentBytes: '2MiB' }, /^configure\.segmentBytes: got "2MiB"; it stays/],
    [
      { chunkBytes: '4KiB', packLimit: 5 },
      /^configure\.chunkBytes: .*\nconfigure\.packLimit: got 5; it stays/,
    ],
    [{ compression: 'zip' }, /^configure\.compression: got "zip"; want one of/],
    [{ nothing: 1 }, /^configure\.nothing: no such option; there are maxBytes,/],
    [{ readConcurrency: 0 }, /^configure\.readConcurrency: got 0; want a whole number from 1 to 128$/],
  ])('%o is refused, and changes nothing', async (patch, message) => {
    const store = await open()
    await fill(store, 0, 10, 1000)
    const before = store.stats()
    const attempt = (): unknown => store.configure(patch as never)
    expect(attempt).toThrow(ConfigError)
    expect(attempt).toThrow(message)
    expect(store.stats()).toEqual(before)
    await store.close()
    expect(() => store.configure({})).toThrow(ClosedError)
  })

  test('fixed options may be named with what they have', async () => {
    const dir = emptyDir()
    const store = await open({ dir })
    const made = store.configure({ dir, partitions: 4, segmentBytes: '256KiB', chunkBytes: 65536 } as never)
    expect(made.changes).toEqual([])
    await made.apply()
    await store.close()
  })

  test('at random between other operations: the bound holds, and nothing is wrong', async () => {
    const bound = fc.constantFrom(2 * MiB, 3 * MiB, 4 * MiB, 8 * MiB)
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ put: fc.nat(60), size: fc.constantFrom(100, 3000, 20_000, 45_000, 200_000) }),
      },
      { weight: 4, arbitrary: fc.record({ get: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ remove: fc.nat(60) }) },
      { weight: 1, arbitrary: fc.record({ maxBytes: bound }) },
      { weight: 1, arbitrary: fc.record({ policy: fc.constantFrom(...FILE_POLICY_NAMES) }) },
      { weight: 1, arbitrary: fc.record({ durability: fc.constantFrom(...DURABILITIES) }) },
      { weight: 1, arbitrary: fc.record({ compression: fc.constantFrom('none', 'lz4', 'gzip') }) },
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 30, maxLength: 90 }), async (steps) => {
        const dir = emptyDir()
        const store = await open({ dir, maxBytes: 4 * MiB, packLimit: 16 * KiB })
        const values = new Map<string, Buffer>()
        let seed = 0
        for (const at of steps) {
          if ('put' in at) {
            seed += 1
            const value = bytesOf(at.size, seed)
            if (await put(store, keyAt(at.put), value)) values.set(keyAt(at.put), value)
          } else if ('get' in at) {
            const there = await readValue(store, keyAt(at.get))
            if (there !== undefined) expectBytes(there, values.get(keyAt(at.get))!)
          } else if ('remove' in at) {
            await store.delete(keyAt(at.remove))
            values.delete(keyAt(at.remove))
            expect(await readValue(store, keyAt(at.remove))).toBeUndefined()
          } else {
            await change(store, at as never)
          }
          const { bytes, maxBytes, corrupt, diskErrors } = store.stats()
          expect(bytes).toBeLessThanOrEqual(maxBytes)
          expect(blocksOf(dir)).toBeLessThanOrEqual(8 * MiB)
          expect([corrupt, diskErrors]).toEqual([0, 0])
        }
        await store.close()
        const again = await open({ dir, maxBytes: 2 * MiB })
        for (const key of await keysOf(again)) expectBytes(await readValue(again, key), values.get(key)!)
        expect(again.stats().bytes).toBeLessThanOrEqual(2 * MiB)
        await again.close()
      }),
      { numRuns: 12 * MORE },
    )
  })
})
