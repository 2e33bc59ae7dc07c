import {
  chmodSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DreyError } from '../../../../lib/errors.js'
import { createCache, fileStore } from '../../../../lib/index.js'
import { crc32c } from '../../../../lib/native/crc32c.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import { bytesOf, mustPut, put, readValue } from '../../../conformance/store-kit.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { blocksOf, filesOf, killed } from '../../../helpers/file-model.js'
import { emptyDir, enginesOfPath, fileStoreOf, opened } from '../../../helpers/file-rig.js'

/* What an open refuses, and leaves as it is; and what it makes. */

/** Names, kinds, modes and bytes of all that is there. */
function pictureOf(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name)
    const { mode, size } = lstatSync(path)
    const content = entry.isFile() ? crc32c(readFileSync(path)) : ''
    return [`${path} ${mode} ${size} ${content}`, ...(entry.isDirectory() ? pictureOf(path) : [])]
  })
}

async function expectRefused(dir: string, code: string, make = fileStoreOf): Promise<void> {
  const before = existsSync(dir) && lstatSync(dir).isDirectory() ? pictureOf(dir) : undefined
  const error = await opened(make({ dir })).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(DreyError)
  expect(error).toMatchObject({ code, message: expect.stringContaining(dir) })
  if (before !== undefined) expect(pictureOf(dir)).toEqual(before)
}

async function readable(store: FileStore, key: string): Promise<boolean> {
  const entry = await store.find(key)
  entry?.release()
  return entry !== undefined
}

async function usedDir(): Promise<string> {
  const dir = emptyDir()
  const store = await opened(fileStoreOf({ dir }))
  await mustPut(store, 'k', bytesOf(100_000, 'k'))
  await mustPut(store, 'small', bytesOf(100, 'k'))
  await store.close()
  return dir
}

describe.each(enginesOfPath())('an open by the $name engine refuses, and leaves as it is', ({ make }) => {
  test('a directory that has something else in it', async () => {
    const dir = emptyDir()
    writeFileSync(join(dir, 'thesis.tex'), 'dear')
    await expectRefused(dir, 'ERR_DREY_CONFIG', make)
  })

  test('a file', async () => {
    const dir = join(emptyDir(), 'file')
    writeFileSync(dir, 'dear')
    await expectRefused(dir, 'ERR_DREY_CONFIG', make)
    expect(readFileSync(dir, 'utf8')).toBe('dear')
  })

  test('a place without a parent', async () => {
    await expectRefused(join(emptyDir(), 'not', 'there'), 'ERR_DREY_IO', make)
  })

  test('a newer format', async () => {
    const dir = await usedDir()
    const bytes = readFileSync(join(dir, 'DREY'))
    for (const at of [0, 512]) {
      bytes.writeUInt32LE(2, at + 8)
      bytes.writeUInt32LE(crc32c(bytes.subarray(at, at + 124)), at + 124)
    }
    writeFileSync(join(dir, 'DREY'), bytes)
    await expectRefused(dir, 'ERR_DREY_FORMAT', make)
  })

  test('a header that is damaged twice', async () => {
    const dir = await usedDir()
    writeFileSync(join(dir, 'DREY'), Buffer.alloc(1024, 7))
    await expectRefused(dir, 'ERR_DREY_CORRUPT', make)
  })

  test.each(['log', 'LOCK', '00', 'DREY'])('a link in the place of %s', async (name) => {
    const dir = await usedDir()
    const path = join(dir, name)
    const elsewhere = emptyDir()
    rmSync(path, { recursive: true, force: true })
    symlinkSync(elsewhere, path)
    await expectRefused(dir, 'ERR_DREY_CONFIG', make)
    expect(readdirSync(elsewhere)).toEqual([])
  })

  test('a link in the place of a segment', async () => {
    const dir = await usedDir()
    const [name] = readdirSync(join(dir, 'log')).filter((one) => one.endsWith('.seg'))
    const elsewhere = join(emptyDir(), 'precious')
    writeFileSync(elsewhere, 'dear')
    rmSync(join(dir, 'log', name!))
    symlinkSync(elsewhere, join(dir, 'log', name!))
    await expectRefused(dir, 'ERR_DREY_CONFIG', make)
    expect(readFileSync(elsewhere, 'utf8')).toBe('dear')
  })

  test.runIf(process.getuid?.() !== 0)('a directory without permission', async () => {
    const dir = await usedDir()
    chmodSync(dir, 0)
    await expectRefused(dir, 'ERR_DREY_IO', make)
    chmodSync(dir, 0o700)
  })
})

describe('an open refuses, and leaves as it is', () => {
  test.each([
    ['EACCES', 'ERR_DREY_IO'],
    ['EROFS', 'ERR_DREY_IO'],
    ['ENOSPC', 'ERR_DREY_NO_SPACE'],
  ])('a place where everything fails with %s', async (errno, code) => {
    for (const dir of [emptyDir(), await usedDir()]) {
      const env = new FaultEnv()
      const writes = new Set(['write', 'makeFolder', 'truncate', 'link', 'listen'])
      env.onCall = ({ name }) => (writes.has(name) ? { code: errno } : undefined)
      const store = fileStoreOf({ dir }, { env })
      await expect(opened(store)).rejects.toMatchObject({ code, message: expect.stringContaining(dir) })
      await store.close()
    }
  })
})

describe('an open', () => {
  test('makes files that nobody else may read, and folders', async () => {
    const dir = join(emptyDir(), 'new')
    const store = await opened(fileStoreOf({ dir }))
    await mustPut(store, 'k', bytesOf(100_000, 'k'))
    expect(lstatSync(dir).mode & 0o777).toBe(0o700)
    for (const file of filesOf(dir)) expect(lstatSync(file).mode & 0o777, file).toBe(0o600)
    for (const name of ['log', 'LOCK']) expect(lstatSync(join(dir, name)).mode & 0o777).toBe(0o700)
    await store.close()
  })

  test('leaves names alone that are not drey’s', async () => {
    const dir = await usedDir()
    for (const name of ['note', 'log/note', 'log/1.seg', '0f0']) writeFileSync(join(dir, name), 'dear')
    const store = await opened(fileStoreOf({ dir: killed(dir) }))
    await store.close()
    const again = await opened(fileStoreOf({ dir }))
    await again.close()
    for (const name of ['note', 'log/note', 'log/1.seg', '0f0']) {
      expect(readFileSync(join(dir, name), 'utf8')).toBe('dear')
    }
  })

  test('removes blobs that nothing refers to, and forgets entries whose blobs are gone', async () => {
    const dir = emptyDir()
    const store = await opened(fileStoreOf({ dir }))
    await mustPut(store, 'kept', bytesOf(100_000, 'kept'))
    const [kept] = filesOf(dir).filter((path) => /[0-9a-f]{32}-/.test(path))
    await mustPut(store, 'lost', bytesOf(100_000, 'lost'))
    const left = killed(dir)
    await store.close()
    const blobs = filesOf(left).filter((path) => /[0-9a-f]{32}-/.test(path))
    const lost = blobs.find((path) => !path.endsWith(kept!.slice(-49)))!
    writeFileSync(`${lost.slice(0, -1)}f`, 'orphan')
    rmSync(lost)
    const again = await opened(fileStoreOf({ dir: left }))
    expect(again.stats()).toMatchObject({ entries: 1, blobs: 1 })
    expect(again.stats().recovery).toMatchObject({ orphans: 1, clean: false })
    expect(await again.find('lost')).toBeUndefined()
    expect((await readValue(again, 'kept'))?.equals(bytesOf(100_000, 'kept'))).toBe(true)
    expect(blocksOf(left)).toBeLessThanOrEqual(again.stats().bytes)
    await again.close()
  })

  test('of a directory that is larger than it may be brings it down', async () => {
    const dir = emptyDir()
    const store = await opened(fileStoreOf({ dir, maxBytes: 16 * 2 ** 20 }))
    for (let index = 0; index < 100; index += 1) await mustPut(store, `k${index}`, bytesOf(90_000, index))
    await store.close()
    expect(blocksOf(dir)).toBeGreaterThan(8 * 2 ** 20)
    const again = await opened(fileStoreOf({ dir, maxBytes: 4 * 2 ** 20 }))
    expect(blocksOf(dir)).toBeLessThanOrEqual(4 * 2 ** 20)
    expect(again.stats().entries).toBeGreaterThan(0)
    await again.close()
  })

  test.each(enginesOfPath())(
    'by the $name engine where minFree leaves no room answers, and keeps what comes once there is some',
    async ({ make }) => {
      let dir = emptyDir()
      for (const before of ['nothing', 'closed', 'killed']) {
        const full = await opened(make({ dir, minFree: 2 ** 50 }))
        expect([before, await readable(full, 'k')]).toEqual([before, before !== 'nothing'])
        expect(await put(full, 'new', bytesOf(100, 'new'))).toBe(false)
        expect(await readable(full, 'new')).toBe(false)
        await full.close()
        const roomy = await opened(make({ dir }))
        expect([before, await readable(roomy, 'k')]).toEqual([before, before !== 'nothing'])
        for (let index = 0; index < 20; index += 1) await mustPut(roomy, `k${index}`, bytesOf(50_000, index))
        await mustPut(roomy, 'k', bytesOf(100, 'k'))
        const left = killed(dir)
        await roomy.close()
        if (before === 'closed') dir = left
      }
    },
  )

  test('after the machine was started anew has all revalidated, unless it was written through', async () => {
    for (const durability of ['process', 'power'] as const) {
      const dir = emptyDir()
      const store = await opened(fileStoreOf({ dir, durability }))
      await mustPut(store, 'k', bytesOf(100, 'k'))
      const left = killed(dir)
      await store.close()
      for (const [place, cleanly] of [
        [left, false],
        [dir, true],
      ] as const) {
        const env = new FaultEnv()
        env.bootId = async () => Buffer.alloc(16, 3)
        const again = await opened(fileStoreOf({ dir: place, durability }, { env }))
        const entry = await again.find('k')
        // What was closed cleanly was written through then.
        const doubt = durability === 'process' && !cleanly
        expect([durability, cleanly, again.stats().recovery?.doubt]).toEqual([durability, cleanly, doubt])
        expect(entry?.metadata.freshUntil === 0).toBe(doubt)
        // Confirmed by its origin, it is as good as new; and doubt is remembered for the others.
        if (entry !== undefined) await again.revise('k', entry, { ...entry.metadata, freshUntil: 5e12 })
        entry?.release()
        expect((await again.find('k'))?.metadata.freshUntil).toBe(5e12)
        await again.close()
      }
    }
  })
})

describe('fileStore', () => {
  test.each([
    [{ dir: '', maxBytes: '8MiB' }, 'fileStore.dir'],
    [{ dir: 'x', maxBytes: '1MiB' }, 'at least 8 segments'],
    [{ dir: 'x', maxBytes: '64MiB', segmentBytes: 5 }, 'fileStore.segmentBytes'],
    [{ dir: 'x', maxBytes: '64MiB', chunkBytes: 5000 }, 'fileStore.chunkBytes'],
    [{ dir: 'x', maxBytes: '64MiB', packLimit: '2MiB' }, 'fileStore.packLimit'],
    [{ dir: 'x', maxBytes: '64MiB', partitions: 3 }, 'fileStore.partitions'],
    [{ dir: 'x', maxBytes: '64MiB', policy: 'w-tinylfu' }, 'fileStore.policy'],
    [{ dir: 'x', maxBytes: '64MiB', maxItemBytes: '64MiB' }, 'fileStore.maxItemBytes'],
    [{ dir: 'x', maxBytes: '64MiB', minFree: -1 }, 'fileStore.minFree'],
    [{ dir: 'x', maxBytes: '64MiB', colour: 'red' }, 'no such option'],
  ])('refuses %j', (options, message) => {
    expect(() => fileStore(options as never)).toThrow(message)
  })

  test('is a tier of a cache, and warm when the cache is made again', async () => {
    const dir = emptyDir()
    const options = { dir, maxBytes: '8MiB', minFree: 0 } as const
    const cache = await createCache({ tiers: [fileStore(options)], pressure: false })
    const value = bytesOf(300_000, 'value')
    let calls = 0
    const fetcher = async (): Promise<{ body: Buffer }> => {
      calls += 1
      return { body: value }
    }
    const first = await cache.fetch('k', fetcher)
    expect(first.status === 'ok' && (await first.bytes()).equals(value)).toBe(true)
    await cache.set('small', 'text')
    await cache.close()
    const again = await createCache({ tiers: [fileStore(options)], pressure: false })
    const second = await again.fetch('k', fetcher)
    expect(second.status === 'ok' && second.outcome === 'hit' && (await second.bytes()).equals(value)).toBe(
      true,
    )
    expect(calls).toBe(1)
    const small = await again.get('small')
    expect(small?.status === 'ok' && (await small.text())).toBe('text')
    await again.close()
  })

  test('tells of what is corrupt', async () => {
    const dir = emptyDir()
    const options = { dir, maxBytes: '8MiB', minFree: 0 } as const
    const cache = await createCache({ tiers: [fileStore(options)], pressure: false })
    await cache.set('k', bytesOf(300_000, 'value'))
    const [blob] = filesOf(dir).filter((path) => /[0-9a-f]{32}-/.test(path))
    const bytes = readFileSync(blob!)
    bytes[1000]! ^= 1
    writeFileSync(blob!, bytes)
    const told: unknown[] = []
    cache.on('corrupt', (event) => told.push(event))
    expect(await cache.get('k')).toBeUndefined()
    expect(told).toEqual([{ key: 'k', tier: 'file' }])
    await cache.close()
  })
})
