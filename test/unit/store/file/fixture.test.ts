import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createChunkCodec, readCompression } from '../../../../lib/compression/index.js'
import { crc32c } from '../../../../lib/native/crc32c.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import type { JsFileStore } from '../../../../lib/store/file/js/store.js'
import type { FileConfig } from '../../../../lib/store/file/options.js'
import type { Metadata } from '../../../../lib/store/store.js'
import { bytesOf, metadataFor, mustFind, mustPut, readAll } from '../../../conformance/store-kit.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { killed } from '../../../helpers/file-model.js'
import { emptyDir, fileStoreOf, opened } from '../../../helpers/file-rig.js'

/*
 * A directory of each version of the format, as it was written once: every later version of drey opens it. What is in it
 * says expected.json. `DREY_WRITE_FIXTURE=1` writes that of the present version, where there is none yet.
 */

const VERSION = 1
const KiB = 1024
const FOLDER = fileURLToPath(new URL('../../../fixtures/disk-format/', import.meta.url))
const BOOT_ID = Buffer.from('drey-fixture-bid')
const MORE: Partial<FileConfig> = {
  maxBytes: 320 * KiB,
  maxItemBytes: 64 * KiB,
  segmentBytes: 16 * KiB,
  packLimit: 12 * KiB,
  chunkBytes: 4 * KiB,
  partitions: 4,
  policy: 'sieve',
}

interface Expected {
  readonly entries: Record<string, { readonly crc32c: number; readonly metadata: Metadata }>
  readonly absent: readonly string[]
}

/** A machine on which nothing is left to chance. */
function fixedEnv(): FaultEnv {
  const env = new FaultEnv()
  let drawn = 0
  env.bootId = async () => BOOT_ID
  env.random = (bytes) => {
    drawn += 1
    return bytesOf(bytes, `random ${drawn}`)
  }
  return env
}

const open = (dir: string, env: FaultEnv, codec = 'none'): Promise<FileStore> =>
  opened(fileStoreOf({ ...MORE, dir, codec: createChunkCodec(readCompression(codec)) }, { env }))

/** Of everything one. */
async function putKinds(store: FileStore, where: string): Promise<void> {
  const user = { text: 'é 🐿', list: [1, 2.5, null] }
  const metadata = metadataFor(10, { user, etag: 'W/"é"' })
  await mustPut(store, `schlüssel 🐿 ${where}`, bytesOf(10, where), { metadata })
  await mustPut(store, `chunks ${where}`, bytesOf(10_000, where))
  await mustPut(store, `nothing ${where}`, Buffer.alloc(0), { metadata: metadataFor(0, { negative: true }) })
  await mustPut(store, `blob ${where}`, bytesOf(20_000, where))
}

async function putBatch(store: FileStore, name: string): Promise<void> {
  const drafts = []
  await mustPut(store, `deleted by a ${name}`, bytesOf(50, 'deleted'))
  for (const [key, size] of [
    [`${name} a`, 60],
    [`${name} b`, 15_000],
  ] as const) {
    const draft = (await store.draft(key, size))!
    await draft.write(bytesOf(size, key))
    drafts.push({ key, draft, metadata: metadataFor(size) })
  }
  await store.commitAll([...drafts, { key: `deleted by a ${name}`, remove: true }])
}

async function write(): Promise<{ readonly dir: string; readonly expected: Expected }> {
  const dir = emptyDir()
  const env = fixedEnv()
  let store = await open(dir, env)
  await mustPut(store, 'cleared', bytesOf(100, 'cleared'))
  await store.clear()
  await mustPut(store, 'packed', bytesOf(1000, 'packed'))
  await mustPut(store, 'chunks', bytesOf(10_000, 'chunks'))
  await mustPut(store, 'empty', Buffer.alloc(0), { metadata: metadataFor(0, { negative: true }) })
  await putKinds(store, 'evicted')
  const never = Number.POSITIVE_INFINITY
  const forever = { freshUntil: never, staleUntil: never, staleIfErrorUntil: never }
  await mustPut(store, 'blob', bytesOf(30_000, 'blob'), { metadata: metadataFor(30_000, forever) })
  await mustPut(store, 'blob overwritten', bytesOf(20_000, 'old'))
  await mustPut(store, 'blob overwritten', bytesOf(21_000, 'new'))
  await mustPut(store, 'deleted', bytesOf(50, 'deleted'))
  await store.delete('deleted')
  await putBatch(store, 'batch')
  for (const key of ['packed', 'blob']) {
    const entry = await mustFind(store, key)
    await store.revise(key, entry, { ...entry.metadata, etag: '"revised"' })
    entry.release()
  }
  await store.close()

  // Until what is read has been copied forward, and the rest evicted.
  store = await open(dir, env)
  const { core } = store as unknown as JsFileStore
  for (let index = 0; core.segments.oldest(0) < 4 && index < 500; index += 1) {
    for (const key of [
      'packed',
      'blob',
      'schlüssel 🐿',
      'batch a',
      'chunks',
      'empty',
      'blob overwritten',
      'batch b',
    ]) {
      ;(await store.find(key))?.release()
    }
    await mustPut(store, `filler ${index}`, bytesOf(3000, index))
  }
  expect(core.segments.oldest(0)).toBeGreaterThan(3)
  await store.close()

  store = await open(dir, env)
  await putKinds(store, 'in the image')
  await putBatch(store, 'batch in the image')
  await store.close()
  for (const codec of ['lz4', 'gzip']) {
    store = await open(dir, env, codec)
    await mustPut(store, `${codec} packed`, Buffer.alloc(6000, 'packed '))
    await mustPut(store, `${codec} blob`, Buffer.alloc(20_000, 'in a file '))
    await store.close()
  }
  // Behind the image, and not closed.
  store = await open(dir, env)
  await mustPut(store, 'after the image', bytesOf(70, 'after'))
  await putKinds(store, 'in the log')
  await putBatch(store, 'batch in the log')
  await store.delete('chunks in the image')
  const left = killed(dir)
  const entries: Record<string, { crc32c: number; metadata: Metadata }> = {}
  const keys: string[] = []
  for await (const [key] of store.entries()) keys.push(key)
  for (const key of keys.sort()) {
    const entry = await mustFind(store, key)
    entries[key] = { crc32c: crc32c(await readAll(entry)), metadata: entry.metadata }
    entry.release()
  }
  await store.close()
  const absent = ['cleared', 'deleted', 'deleted by a batch in the log', 'chunks in the image', 'never']
  return { dir: left, expected: { entries, absent } }
}

/** Infinity is written as null. */
function metadataFrom(json: Metadata): Metadata {
  const never = Number.POSITIVE_INFINITY
  const freshUntil = json.freshUntil ?? never
  // Directories of before do not say when what is stale may still answer, and have no tags.
  const { staleUntil = freshUntil, tags = [] } = json
  return {
    ...json,
    freshUntil,
    staleUntil: staleUntil ?? never,
    staleIfErrorUntil: json.staleIfErrorUntil ?? never,
    tags,
  }
}

describe('a directory of format version', () => {
  test.runIf(process.env['DREY_WRITE_FIXTURE'] === '1')('is written once', async () => {
    const folder = `${FOLDER}${VERSION}`
    if (existsSync(folder)) throw new Error(`${folder} is there, for ever`)
    const { dir, expected } = await write()
    mkdirSync(folder, { recursive: true })
    cpSync(dir, `${folder}/directory`, { recursive: true })
    rmSync(`${folder}/directory/LOCK`, { recursive: true })
    writeFileSync(`${folder}/expected.json`, `${JSON.stringify(expected, undefined, 2)}\n`)
  })

  test.each(Array.from({ length: VERSION }, (_, index) => index + 1))('%i is read', async (version) => {
    const copy = emptyDir()
    cpSync(`${FOLDER}${version}/directory`, copy, { recursive: true })
    const expected = JSON.parse(readFileSync(`${FOLDER}${version}/expected.json`, 'utf8')) as Expected
    // As it was left, and as the first open leaves it.
    for (const clean of [false, true]) {
      const store = await open(copy, fixedEnv())
      expect(store.stats().recovery).toMatchObject({ clean, doubt: false, damagedBytes: 0, orphans: 0 })
      expect(store.stats().entries).toBe(Object.keys(expected.entries).length)
      for (const [key, { crc32c: sum, metadata }] of Object.entries(expected.entries)) {
        const entry = await mustFind(store, key)
        expect(entry.metadata).toEqual(metadataFrom(metadata))
        expect(crc32c(await readAll(entry)), key).toBe(sum)
        entry.release()
      }
      for (const key of expected.absent) expect(await store.find(key)).toBeUndefined()
      expect(store.stats()).toMatchObject({ corrupt: 0, diskErrors: 0 })
      await store.close()
    }
  })
})
