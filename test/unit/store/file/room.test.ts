import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { describe, expect, test, vi } from 'vitest'
import { createChunkCodec, readCompression } from '../../../../lib/compression/index.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import { FILE_POLICY_NAMES, type FileConfig } from '../../../../lib/store/file/options.js'
import {
  bytesOf,
  expectBytes,
  metadataFor,
  mustFind,
  mustPut,
  put,
  readValue,
} from '../../../conformance/store-kit.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { blocksOf, filesOf, killed } from '../../../helpers/file-model.js'
import { emptyDir, enginesOfPath, fileStoreOf, NOW, opened } from '../../../helpers/file-rig.js'
import { turns } from '../../../helpers/gate.js'

/* Room on the disk, by both enginesOfPath: the bound, what goes first, and what is trusted after a close. */

const KiB = 1024
const MiB = 1024 * KiB
const SAMPLE_MS = 50
const PACK_LIMIT = 12 * KiB
const NOT_READ = Buffer.alloc(0)

/** Bytes of files in the directory that have no name any more and are open here. Linux only. */
function unlinkedBytes(dir: string): number {
  if (process.platform !== 'linux') return 0
  let bytes = 0
  for (const name of readdirSync('/proc/self/fd')) {
    try {
      const link = readlinkSync(`/proc/self/fd/${name}`)
      if (link.startsWith(`${dir}/`) && link.endsWith(' (deleted)')) {
        bytes += statSync(`/proc/self/fd/${name}`).blocks * 512
      }
    } catch (error) {
      // Closed while it was looked for.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return bytes
}

async function store(
  make: (more?: Partial<FileConfig>) => FileStore,
  more: Partial<FileConfig>,
  now: () => number = () => NOW,
  told: string[] = [],
): Promise<FileStore> {
  const made = make(more)
  await made.open({ now, onEvict: (key, why) => told.push(`${key} ${why}`), hearsEvictions: () => true })
  return made
}

/**
 * The js engine has who writes wait for room; natively it is made in the background, and has the time here that a store of usual size
 * gives it.
 */
async function roomIsMade(
  engine: string,
  kept: FileStore,
  { maxBytes, segmentBytes }: { readonly maxBytes: number; readonly segmentBytes: number },
): Promise<void> {
  if (engine !== 'native') return
  const mark = maxBytes - 2 * (segmentBytes + 4096)
  for (let look = 0; look < 1000 && kept.stats().bytes > mark; look += 1) {
    await new Promise((go) => setTimeout(go, 2))
  }
}

for (const { name, make } of enginesOfPath()) {
  describe(`${name}: room`, () => {
    test.each(['none', 'lz4'] as const)(
      'is never more than maxBytes while twenty times that is written, compressed by %s (I4)',
      { timeout: 120_000 },
      async (compression) => {
        const dir = emptyDir()
        const maxBytes = 3 * MiB
        const codec = createChunkCodec(readCompression(compression, 'test'))
        const churned = await store(make, {
          ...{ dir, maxBytes, segmentBytes: 128 * KiB, packLimit: PACK_LIMIT, chunkBytes: 4 * KiB, codec },
          maxItemBytes: 256 * KiB,
        })
        let [samples, most, written, refused] = [0, 0, 0, 0]
        const sample = (): void => {
          // What moves while it is counted is counted twice, and not when it is looked at again.
          let bytes = Number.POSITIVE_INFINITY
          for (let look = 0; look < 3 && bytes > maxBytes; look += 1)
            bytes = unlinkedBytes(dir) + blocksOf(dir)
          samples += 1
          most = Math.max(most, bytes)
        }
        const timer = setInterval(sample, SAMPLE_MS)
        const values = new Map<string, string>()
        try {
          for (let round = 0; written < 20 * maxBytes; round += 1) {
            // As many of each order of magnitude, from a byte to several times the pack limit.
            const sizes = Array.from({ length: 8 }, (_, at) =>
              Math.round((8 * PACK_LIMIT) ** (((round * 5 + at * 3) % 23) / 22)),
            )
            await Promise.all(
              sizes.map(async (size, at) => {
                const key = `k${(round * 8 + at * 37) % 300}-${at}`
                const half = bytesOf(Math.ceil(size / 2), `${key} ${round}`)
                const value = Buffer.concat([half, Buffer.alloc(size - half.length, at)])
                written += size
                if (await put(churned, key, value)) values.set(key, `${round} ${size} ${at}`)
                else refused += 1
              }),
            )
            if (round % 10 === 0) (await churned.find(`k${round % 300}-0`))?.release()
          }
          sample()
        } finally {
          clearInterval(timer)
        }
        expect(samples).toBeGreaterThan(2)
        expect(most).toBeGreaterThan(maxBytes / 2)
        expect(most).toBeLessThanOrEqual(maxBytes)
        const stats = churned.stats()
        expect(stats).toMatchObject({ corrupt: 0, diskErrors: 0 })
        expect(stats.writeAmplification).toBeLessThan(2.2)
        expect(refused).toBeLessThan(values.size / 10)
        let found = 0
        for (const [key, what] of values) {
          const [round, size, at] = what.split(' ').map(Number) as [number, number, number]
          const value = await readValue(churned, key)
          if (value === undefined) continue
          const half = bytesOf(Math.ceil(size / 2), `${key} ${round}`)
          expectBytes(value, Buffer.concat([half, Buffer.alloc(size - half.length, at)]))
          found += 1
        }
        expect(found).toBeGreaterThan(20)
        await churned.close()
        expect(blocksOf(dir)).toBeLessThanOrEqual(maxBytes)
      },
    )

    test.each([3000, 60_000])(
      'is made of what has expired before what is of use, values of %i bytes',
      { timeout: 60_000 },
      async (size) => {
        const dir = emptyDir()
        const more = {
          dir,
          maxBytes: 4 * MiB,
          segmentBytes: 128 * KiB,
          packLimit: PACK_LIMIT,
          policy: 'fifo' as const,
        }
        const told: string[] = []
        let now = NOW
        const kept = await store(make, more, () => now, told)
        const cold = Math.floor((768 * KiB) / size)
        for (let at = 0; at < cold; at += 1) await mustPut(kept, `cold ${at}`, bytesOf(size, at))
        for (let at = 0, written = 0; written < 9 * MiB; at += 1) {
          const metadata = metadataFor(size, { freshUntil: now + 1000, staleIfErrorUntil: now })
          await mustPut(kept, `short ${at}`, bytesOf(size, at), { metadata })
          written += size
          await roomIsMade(name, kept, more)
          // A sixteenth of the bound in the time that each lives.
          if (written % (256 * KiB) < size) now += 1000
        }
        for (let at = 0; at < cold; at += 1) {
          expectBytes(await readValue(kept, `cold ${at}`), bytesOf(size, at))
        }
        expect(told.filter((one) => one.endsWith('size'))).toEqual([])
        expect(told.length).toBeGreaterThan(50)
        // What the disk is busy with has gone before it is told.
        await vi.waitFor(() => expect(kept.stats().expirations).toBe(told.length), { timeout: 30_000 })
        expect(kept.stats()).toMatchObject({ evictions: 0, corrupt: 0 })
        const left = killed(dir)
        await kept.close()
        for (const file of filesOf(left)) expect(statSync(file).size).toBeGreaterThan(0)
        const again = await store(make, { ...more, dir: left })
        for (let at = 0; at < cold; at += 1) {
          expectBytes(await readValue(again, `cold ${at}`), bytesOf(size, at))
        }
        await again.close()
      },
    )

    test('an entry that was copied forward meanwhile is revised all the same', async () => {
      const more = { maxBytes: 2 * MiB, segmentBytes: 128 * KiB, policy: 'sieve' as const }
      const kept = await store(make, more)
      await mustPut(kept, 'key', bytesOf(3000, 'key'))
      const entry = await mustFind(kept, 'key')
      const before = kept.stats().reclaimed
      for (let at = 0; kept.stats().reclaimed < before + 40; at += 1) {
        await mustPut(kept, `other ${at}`, bytesOf(3000, at))
        await roomIsMade(name, kept, more)
        if (at % 20 === 0) (await mustFind(kept, 'key')).release()
      }
      const metadata = { ...entry.metadata, etag: '"new"' }
      expect(await kept.revise('key', entry, metadata)).toBe(true)
      expect((await mustFind(kept, 'key')).metadata.etag).toBe('"new"')
      expect(await kept.revise('key', entry, { ...metadata, etag: '"newer"' })).toBe(false)
      entry.release()
      await kept.close()
    })

    test.each(['none', 'process', 'power'] as const)(
      'after a clean close all is trusted when the machine starts anew, and after a death it is not: %s',
      async (durability) => {
        const dir = emptyDir()
        const more = { dir, durability, packLimit: PACK_LIMIT }
        const sizes = [10, 3000, 60_000, 200_000]
        const check = async (from: string, doubt: boolean): Promise<void> => {
          const env = new FaultEnv()
          // The machine was started again.
          env.bootId = async () => Buffer.alloc(16, 7)
          const again = await opened(fileStoreOf({ ...more, dir: from }, { env }))
          expect(again.stats().recovery?.doubt).toBe(doubt)
          for (const size of sizes) {
            const entry = await mustFind(again, `key ${size}`)
            expect(entry.metadata.freshUntil === 0).toBe(doubt)
            entry.release()
          }
          await again.close()
        }
        const first = await store(make, more)
        for (const size of sizes) await mustPut(first, `key ${size}`, bytesOf(size, size))
        await readValue(first, 'key 10')
        const dead = killed(dir)
        await first.close()
        await check(dead, durability !== 'power')
        // A second owner, who adds to it.
        const second = await store(make, more)
        await mustPut(second, 'more', bytesOf(60_000, 'more'))
        await second.close()
        await check(dir, false)
      },
    )
  })
}

test('js: what takes the place of an expired entry while its segment goes early is there after a death', async () => {
  const dir = emptyDir()
  const more = { dir, maxBytes: 1536 * KiB, segmentBytes: 128 * KiB, policy: FILE_POLICY_NAMES[0] }
  const env = new FaultEnv()
  // Everything takes its time, so that changes come in between.
  env.onCall = ({ name }) => (name === 'read' || name === 'write' ? turns(3) : undefined)
  const there = new Map<string, Buffer>()
  const kept = fileStoreOf(more, { env })
  // What has expired may go at any time, also between the reading of it and the death.
  await kept.open({ now: () => NOW, onEvict: (key) => there.delete(key), hearsEvictions: () => true })
  for (let at = 0; at < 100; at += 1) await mustPut(kept, `cold ${at}`, bytesOf(3000, at))
  const expired = metadataFor(3000, { freshUntil: NOW - 1, staleIfErrorUntil: NOW - 1 })
  const last = new Map<string, number>()
  for (let round = 0; round < 250; round += 1) {
    await Promise.all(
      Array.from({ length: 10 }, async (_, at) => {
        const key = `k${(round * 71 + at * 37) % 350}`
        const dead = (round + at) % 4 !== 0
        const metadata = dead ? expired : metadataFor(3000)
        if (await put(kept, key, bytesOf(3000, `${key} ${round}`), { metadata })) last.set(key, round)
      }),
    )
  }
  expect(kept.stats().expirations).toBeGreaterThan(10)
  for (const key of last.keys()) {
    there.set(key, NOT_READ)
    const value = await readValue(kept, key)
    if (value === undefined) there.delete(key)
    else if (there.has(key)) there.set(key, value)
  }
  const left = killed(dir)
  await kept.close()
  const again = await opened(fileStoreOf({ ...more, dir: left }))
  expect(there.size).toBeGreaterThan(20)
  for (const [key, value] of there) expectBytes(await readValue(again, key), value)
  await again.close()
})
