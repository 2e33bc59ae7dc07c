import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createChunkCodec, readCompression } from '../../../../lib/compression/index.js'
import { crc32c } from '../../../../lib/native/crc32c.js'
import { systemEnv } from '../../../../lib/store/file/env.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import { KIND } from '../../../../lib/store/file/format/record.js'
import { DAMAGE_KINDS, type DamageKind, type VerifyReport } from '../../../../lib/store/file/verify/report.js'
import { verifyDirectory } from '../../../../lib/store/file/verify/verify.js'
import { bytesOf, keysOf, mustPut } from '../../../conformance/store-kit.js'
import { logOf, recordsOf, segmentsOf } from '../../../helpers/file-log.js'
import { blocksOf, expectModel, FileModel, filesOf, killed, stateOf } from '../../../helpers/file-model.js'
import { emptyDir, enginesOfPath, jsEngine, opened } from '../../../helpers/file-rig.js'

/*
 * Looking through a directory: what is whole is said to be, each kind of damage is found where it is, nothing changes unless it
 * is to be repaired, and what was repaired is whole.
 */

const KiB = 1024
const MORE = { packLimit: 12 * KiB, chunkBytes: 4 * KiB, segmentBytes: 64 * KiB }
const SIZES = [0, 1, 700, 5000, 12_000, 20_000, 40_000]

const isBlob = (path: string): boolean => /[0-9a-f]{32}-/.test(path)
const none = (): Record<DamageKind, number> =>
  Object.fromEntries(DAMAGE_KINDS.map((kind) => [kind, 0])) as Record<DamageKind, number>

/** Looks, and sees to it that nothing changes. */
async function look(dir: string): Promise<VerifyReport> {
  const before = stateOf(dir)
  const report = await verifyDirectory(dir)
  expect(stateOf(dir)).toEqual(before)
  expect(report.repaired).toBe(false)
  return report
}

async function expectClean(dir: string): Promise<VerifyReport> {
  const report = await look(dir)
  expect(report.damages).toEqual([])
  expect(report).toMatchObject({ counts: none(), unsound: 0, strange: [] })
  return report
}

/** Changes one byte. */
function flip(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at]! ^= 0x10
  writeFileSync(path, bytes)
}

/** Of everything some, over several segments, by two owners. */
async function fill(make: (typeof jsEngine)['make'], dir: string, model: FileModel): Promise<FileStore> {
  let store = await opened(make({ ...MORE, dir }))
  for (let round = 0; round < 2; round += 1) {
    for (let index = 0; index < 28; index += 1) {
      const key = `key ${(index * 7) % 20}`
      expect(await model.put(store, key, SIZES[(index + round) % SIZES.length]!)).toBe(true)
      if (index % 6 === 5) {
        await store.delete(`key ${index}`)
        model.entries.delete(`key ${index}`)
      }
    }
    const version = model.next('in a batch', 300)
    const draft = (await store.draft('in a batch', 300))!
    await draft.write(version.value)
    await store.commitAll([
      { key: 'in a batch', draft, metadata: version.metadata },
      { key: 'key 5', remove: true },
    ])
    model.entries.set('in a batch', version)
    model.entries.delete('key 5')
    if (round === 1) return store
    await store.close()
    store = await opened(make({ ...MORE, dir }))
  }
  return store
}

const KEYS = [...Array.from({ length: 20 }, (_, index) => `key ${index}`), 'in a batch']

describe.each(enginesOfPath())('a directory that the $name engine wrote', ({ make }) => {
  test('is whole, after a close and after a death, and looking does not change it', async () => {
    const dir = emptyDir()
    const model = new FileModel()
    const store = await fill(make, dir, model)
    const left = killed(dir)
    await store.close()
    const [closed, dead] = [await expectClean(dir), await expectClean(left)]
    expect([closed.closed, dead.closed]).toEqual([true, false])
    const blobs = [...model.entries.values()].filter(({ value }) => value.length > MORE.packLimit).length
    for (const report of [closed, dead]) {
      expect(report).toMatchObject({ entries: model.entries.size, blobs })
      // What was replaced last may be on its way out at a death.
      for (const { file } of report.leftovers) expect([report.closed, isBlob(file)]).toEqual([false, true])
      expect(report.records).toBeGreaterThan(56)
    }
    const images = filesOf(dir).filter((path) => path.endsWith('.img'))
    const files = filesOf(dir).filter((path) => !path.endsWith('/DREY'))
    expect(images.length).toBe(1)
    expect(closed.bytes).toBe(files.reduce((sum, path) => sum + statSync(path).size, 0))
  })

  test('is said to have been looked through as far as it was', async () => {
    const dir = emptyDir()
    const store = await opened(make({ ...MORE, dir, maxBytes: 64 * KiB * KiB }))
    for (let index = 0; index < 40; index += 1) await mustPut(store, `k${index}`, bytesOf(100_000, index))
    await store.close()
    const told: Array<readonly [number, number]> = []
    const { bytes } = await verifyDirectory(dir, { onProgress: (done, total) => told.push([done, total]) })
    expect(told[0]).toEqual([0, bytes])
    expect(told.at(-1)).toEqual([bytes, bytes])
    expect(told.length).toBeGreaterThan(4)
    for (const [index, [done, total]] of told.entries()) {
      expect(done).toBeGreaterThanOrEqual(told[index - 1]?.[0] ?? 0)
      expect([total, done <= total]).toEqual([bytes, true])
    }
  })

  test('that is open is left alone, and its owner named', async () => {
    const dir = emptyDir()
    const store = await opened(make({ ...MORE, dir }))
    await mustPut(store, 'k', bytesOf(10, 'k'))
    const before = stateOf(dir)
    for (const repair of [false, true]) {
      await expect(verifyDirectory(dir, { repair })).rejects.toMatchObject({
        code: 'ERR_DREY_LOCKED',
        message: expect.stringContaining(dir),
      })
    }
    expect(stateOf(dir)).toEqual(before)
    await store.close()
    await expectClean(dir)
  })

  test('with what an own compressor or a missing one made is whole', async () => {
    const own = {
      name: 'zeros',
      compress: async () => Uint8Array.of(1, 2, 3),
      decompress: async (_: Uint8Array, size: number) => new Uint8Array(size),
    }
    const dir = emptyDir()
    for (const option of ['lz4', 'gzip', own]) {
      const codec = createChunkCodec(readCompression(option))
      const store = await opened(make({ ...MORE, dir, codec }))
      const name = typeof option === 'string' ? option : option.name
      for (const size of [5000, 60_000]) {
        await mustPut(store, `${name} ${size}`, Buffer.alloc(size))
      }
      await store.close()
    }
    expect(await expectClean(dir)).toMatchObject({ entries: 6, blobs: 3 })
    expect((await verifyDirectory(dir, { repair: true })).repaired).toBe(false)
    const store = await opened(make({ ...MORE, dir }))
    expect(store.stats()).toMatchObject({ entries: 6, corrupt: 0 })
    await store.close()
  })

  describe('and that was damaged', async () => {
    const whole = emptyDir()
    const model = new FileModel()
    const store = await fill(make, whole, model)
    const dead = killed(whole)
    await store.close()
    const image = filesOf(whole).find((path) => path.endsWith('.img'))!
    const last = (dir: string): string =>
      filesOf(dir)
        .filter((path) => path.endsWith('.seg'))
        .sort()
        .at(-1)!
    /** A record whose key has this value, of more than nothing. */
    const current = (dir: string, blob: boolean) =>
      logOf(dir).find(
        ({ kind, key, flags, sequence }) =>
          kind === KIND.put &&
          (flags & 1) === (blob ? 1 : 0) &&
          (model.entries.get(key!)?.value.length ?? 0) > 100 &&
          logOf(dir).every((other) => other.key !== key || other.sequence <= sequence),
      )!
    const inDir = (dir: string, path: string): string => join(dir, path.slice(whole.length + 1))
    /** Those of entries: after a death there may be others. */
    const named = filesOf(whole).filter(isBlob)
    const blobs = (dir: string): string[] => named.map((path) => inDir(dir, path))

    interface Case {
      readonly name: string
      readonly kinds: Partial<Record<DamageKind, number>>
      /** Left as after a death. */
      readonly from?: 'dead'
      readonly unsound?: number
      readonly inflict: (dir: string) => { readonly file: string; readonly offset: number }
    }
    const cases: Case[] = [
      {
        name: 'in the first copy of the header',
        kinds: { header: 1 },
        inflict: (dir) => {
          flip(join(dir, 'DREY'), 40)
          return { file: join(dir, 'DREY'), offset: 40 }
        },
      },
      {
        name: 'in the second copy of the header',
        kinds: { header: 1 },
        inflict: (dir) => {
          flip(join(dir, 'DREY'), 600)
          return { file: join(dir, 'DREY'), offset: 600 }
        },
      },
      {
        name: 'in the head of the image',
        kinds: { image: 1 },
        inflict: (dir) => {
          flip(inDir(dir, image), 90)
          return { file: inDir(dir, image), offset: 0 }
        },
      },
      {
        name: 'in a page of the image',
        kinds: { image: 1 },
        inflict: (dir) => {
          flip(inDir(dir, image), 4096 + 100)
          return { file: inDir(dir, image), offset: 4096 }
        },
      },
      {
        name: 'by an image that is cut',
        kinds: { image: 1 },
        inflict: (dir) => {
          truncateSync(inDir(dir, image), 5000)
          return { file: inDir(dir, image), offset: 0 }
        },
      },
      {
        name: 'in the head of a segment',
        kinds: { segment: 1 },
        inflict: (dir) => {
          const { file } = logOf(dir)[0]!
          flip(file, 50)
          return { file, offset: 0 }
        },
      },
      {
        name: 'in the head of the last segment',
        kinds: { segment: 1 },
        inflict: (dir) => {
          flip(last(dir), 50)
          return { file: last(dir), offset: 0 }
        },
      },
      {
        name: 'by a last segment that is cut behind the image’s back',
        kinds: { segment: 1 },
        inflict: (dir) => {
          const records = recordsOf(dir, segmentsOf(dir).at(-1))
          const { offset } = records.at(-1)!
          truncateSync(last(dir), offset)
          return { file: last(dir), offset }
        },
      },
      {
        name: 'by a last segment that is not there',
        kinds: { segment: 1 },
        inflict: (dir) => {
          const file = last(dir)
          rmSync(file)
          return { file, offset: 0 }
        },
      },
      {
        name: 'in the head of a record',
        kinds: { record: 1 },
        unsound: 1,
        inflict: (dir) => {
          const { file, offset } = current(dir, false)
          flip(file, offset + 20)
          return { file, offset }
        },
      },
      {
        name: 'in the head of a delete',
        kinds: { record: 1 },
        inflict: (dir) => {
          const { file, offset } = logOf(dir).find(({ kind }) => kind === KIND.delete)!
          flip(file, offset + 50)
          return { file, offset }
        },
      },
      {
        name: 'by a segment that goes on behind its end',
        kinds: { record: 1 },
        from: 'dead',
        inflict: (dir) => {
          const file = logOf(dir)[0]!.file
          const { size } = statSync(file)
          const behind = recordsOf(dir, segmentsOf(dir)[0]).at(-1)!.end
          appendFileSync(file, 'more')
          return {
            file,
            offset: recordsOf(dir, segmentsOf(dir)[0]).at(-1)!.kind === KIND.end ? size : behind,
          }
        },
      },
      {
        name: 'in the end of a batch',
        kinds: { record: 1, batch: 1 },
        inflict: (dir) => {
          const { file, offset } = logOf(dir).find(({ kind }) => kind === KIND.batch)!
          flip(file, offset + 20)
          return { file, offset }
        },
      },
      {
        name: 'in a packed value',
        kinds: { value: 1 },
        unsound: 1,
        inflict: (dir) => {
          const { file, offset, end } = current(dir, false)
          flip(file, end - 10)
          return { file, offset }
        },
      },
      {
        name: 'in a packed value that was replaced',
        kinds: { value: 1 },
        inflict: (dir) => {
          const log = logOf(dir).filter(({ kind }) => kind === KIND.put)
          const old = log.find(
            ({ key, sequence, end, offset, headBytes, flags }) =>
              (flags & 1) === 0 &&
              end - offset - headBytes > 400 &&
              log.some((other) => other.key === key && other.sequence > sequence),
          )!
          flip(old.file, old.end - 10)
          return { file: old.file, offset: old.offset }
        },
      },
      {
        name: 'in a chunk of a blob',
        kinds: { blob: 1 },
        unsound: 1,
        inflict: (dir) => {
          const [file] = blobs(dir)
          flip(file!, 5000)
          return { file: file!, offset: 4096 }
        },
      },
      {
        name: 'in the table of a blob',
        kinds: { blob: 1 },
        unsound: 1,
        inflict: (dir) => {
          const [file] = blobs(dir)
          flip(file!, statSync(file!).size - 20)
          // 20,000 and 40,000 bytes of noise, in chunks of 4 KiB.
          return { file: file!, offset: statSync(file!).size > 30_000 ? 40_000 : 20_000 }
        },
      },
      {
        name: 'by a blob that is cut',
        kinds: { blob: 1 },
        unsound: 1,
        inflict: (dir) => {
          const [file] = blobs(dir)
          truncateSync(file!, 10)
          return { file: file!, offset: 10 }
        },
      },
      {
        name: 'by a blob that is not there',
        kinds: { blob: 1 },
        unsound: 1,
        inflict: (dir) => {
          const [file] = blobs(dir)
          rmSync(file!)
          return { file: file!, offset: 0 }
        },
      },
      {
        name: 'by a blob that is not there after a death',
        kinds: { blob: 1 },
        from: 'dead',
        unsound: 1,
        inflict: (dir) => {
          const [file] = blobs(dir)
          rmSync(file!)
          return { file: file!, offset: 0 }
        },
      },
      {
        name: 'by blobs that changed their places',
        kinds: { blob: 2 },
        unsound: 2,
        inflict: (dir) => {
          const of = blobs(dir).filter((path) => statSync(path).size > 30_000)
          renameSync(of[0]!, join(dir, 'swap'))
          renameSync(of[1]!, of[0]!)
          renameSync(join(dir, 'swap'), of[1]!)
          return { file: of[0]!, offset: 40_000 }
        },
      },
      {
        name: 'by a blob that is a link',
        kinds: { blob: 1 },
        unsound: 1,
        inflict: (dir) => {
          const [file] = blobs(dir)
          const elsewhere = join(emptyDir(), 'precious')
          renameSync(file!, elsewhere)
          symlinkSync(elsewhere, file!)
          return { file: file!, offset: 0 }
        },
      },
      {
        name: 'by an image that names another place',
        kinds: { index: 1 },
        unsound: 1,
        inflict: (dir) => {
          // Whole by its checksum, as a disk would never have it.
          const file = inDir(dir, image)
          const bytes = readFileSync(file)
          const page = bytes.subarray(4096)
          const found = logOf(dir)
          const number = bytes.readUInt32LE(56) + page.readUInt32LE(16 + 16)
          const offset = page.readUInt32LE(16 + 20) * 8
          const other = found.find((record) => record.segment === number && record.offset === offset)!
          page.writeUInt32LE((offset + 8) / 8, 16 + 20)
          const { storeId } = headerOf(dir)
          const context = Buffer.concat([storeId, Buffer.from('PAGE'), u64(bytes.readUInt32LE(32)), u64(0)])
          page.writeUInt32LE(crc32c(page.subarray(4), crc32c(context)), 0)
          writeFileSync(file, bytes)
          return { file: other.file, offset: offset + 8 }
        },
      },
    ]

    test.each(cases)('$name is found, dropped, and whole then', async ({ kinds, from, unsound, inflict }) => {
      const dir = from === 'dead' ? killed(dead) : killed(whole)
      const { file, offset } = inflict(dir)
      const report = await look(dir)
      expect(report.counts).toEqual({ ...none(), ...kinds })
      expect(report.damages).toContainEqual(
        expect.objectContaining({ file: file.slice(dir.length + 1), offset }),
      )
      if (unsound !== undefined) expect(report.unsound).toBe(unsound)

      const repaired = await verifyDirectory(dir, { repair: true })
      expect(repaired).toEqual({ ...report, repaired: true })
      const after = await expectClean(dir)
      expect(after).toMatchObject({ closed: true, leftovers: [] })
      if (unsound !== undefined) expect(after.entries).toBe(report.entries - unsound)
      const again = await opened(make({ ...MORE, dir }))
      expect(again.stats()).toMatchObject({ entries: after.entries, corrupt: 0 })
      expect(blocksOf(dir)).toBeLessThanOrEqual(again.stats().bytes)
      // What a damage took may have been a delete or a newer value: then what is older has to be revalidated.
      for (const key of KEYS) {
        const entry = await again.find(key)
        if (entry === undefined) continue
        const fresh = entry.metadata.freshUntil > 0
        const expected = model.entries.get(key)
        if (fresh) expect([key, entry.metadata.etag]).toEqual([key, expected?.metadata.etag])
        entry.release()
      }
      const harmless = kinds.record === undefined && kinds.segment === undefined && kinds.batch === undefined
      if (harmless) await expectModel(again, model.entries, KEYS, true)
      await again.close()
    })

    test('by a file that is cut within the padding of its last record loses that', async () => {
      const dir = emptyDir()
      for (const keys of [['k', 'kk'], ['after']]) {
        const one = await opened(make({ ...MORE, dir }))
        for (const key of keys) await mustPut(one, key, bytesOf(20_000, key))
        await one.close()
      }
      const { file, offset, end, headBytes } = recordsOf(dir)[1]!
      expect(headBytes % 8).not.toBe(0)
      truncateSync(file, end - 1)
      expect((await look(dir)).damages).toMatchObject([{ kind: 'value', offset }])
      await verifyDirectory(dir, { repair: true })
      expect(await expectClean(dir)).toMatchObject({ entries: 2 })
      const again = await opened(make({ ...MORE, dir }))
      expect(await keysOf(again)).toEqual(['after', 'k'])
      await again.close()
    })

    test('keeps a deleted key deleted, though the delete is gone and the image too', async () => {
      const dir = killed(whole)
      const { file, offset } = logOf(dir).find(({ kind }) => kind === KIND.delete)!
      flip(file, offset + 50)
      await verifyDirectory(dir, { repair: true })
      for (const path of filesOf(dir)) if (path.endsWith('.img')) rmSync(path)
      const again = await opened(make({ ...MORE, dir }))
      await expectModel(again, model.entries, KEYS, false)
      expect(await keysOf(again)).toEqual([...model.entries.keys()].sort())
      await again.close()
    })

    test('beyond use is refused', async () => {
      const dir = killed(whole)
      for (const at of [40, 600]) flip(join(dir, 'DREY'), at)
      const before = stateOf(dir)
      for (const repair of [false, true]) {
        await expect(verifyDirectory(dir, { repair })).rejects.toMatchObject({ code: 'ERR_DREY_CORRUPT' })
      }
      expect(stateOf(dir)).toEqual(before)
    })

    test('and that nobody has, is left over until it is repaired', async () => {
      const dir = killed(dead)
      const [some] = blobs(dir)
      copyFileSync(
        some!,
        some!.replace(/.$/, (digit) => (digit === 'f' ? 'e' : 'f')),
      )
      writeFileSync(join(dir, 'DREY.0123456789abcdef'), '')
      writeFileSync(join(dir, 'log', '00000000000000ff.img'), Buffer.alloc(9000))
      const end = recordsOf(dir, segmentsOf(dir).at(-1)).at(-1)!.end
      const bytes = readFileSync(last(dir))
      writeFileSync(
        last(dir),
        Buffer.concat([bytes.subarray(0, end), Buffer.from('torn while it was written')]),
      )
      for (const name of ['note', 'log/note']) writeFileSync(join(dir, name), 'dear')
      const report = await look(dir)
      expect(report.counts).toEqual(none())
      const left = new Set(report.leftovers.map(({ file }) => file.replace(/^0\d\/.*/, 'blob')))
      expect([...left].sort()).toEqual(
        ['DREY.0123456789abcdef', 'blob', 'log/00000000000000ff.img', last(dir).slice(dir.length + 1)].sort(),
      )
      expect([...report.strange].sort()).toEqual(['log/note', 'note'])
      expect((await verifyDirectory(dir, { repair: true })).repaired).toBe(true)
      const after = await look(dir)
      expect(after).toMatchObject({ closed: true, leftovers: [], counts: none() })
      for (const name of after.strange) expect(readFileSync(join(dir, name), 'utf8')).toBe('dear')
      const again = await opened(make({ ...MORE, dir }))
      await expectModel(again, model.entries, KEYS, false)
      await again.close()
    })
  })
})

function headerOf(dir: string): { readonly storeId: Buffer } {
  return { storeId: readFileSync(join(dir, 'DREY')).subarray(16, 32) }
}

function u64(number: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(number, 0)
  return bytes
}

describe('what is no directory of drey’s is refused and left as it is', () => {
  test.each([
    ['a folder of somebody else', 'ERR_DREY_CONFIG', (dir: string) => writeFileSync(join(dir, 'dear'), 'x')],
    ['an empty folder', 'ERR_DREY_CONFIG', () => undefined],
    ['no folder', 'ERR_DREY_IO', (dir: string) => rmSync(dir, { recursive: true })],
    [
      'a file that is called DREY',
      'ERR_DREY_CORRUPT',
      (dir: string) => writeFileSync(join(dir, 'DREY'), 'x'),
    ],
    ['a link to a header', 'ERR_DREY_CONFIG', (dir: string) => symlinkSync('/dev/null', join(dir, 'DREY'))],
  ])('%s', async (_, code, make) => {
    const dir = emptyDir()
    make(dir)
    const names = (): string[] => {
      try {
        return readdirSync(dir)
      } catch (error) {
        expect((error as NodeJS.ErrnoException).code).toBe('ENOENT')
        return []
      }
    }
    const before = names()
    for (const repair of [false, true]) {
      await expect(verifyDirectory(dir, { repair })).rejects.toMatchObject({
        code,
        message: expect.stringContaining(dir),
      })
    }
    expect(names()).toEqual(before)
    mkdirSync(dir, { recursive: true })
  })

  test('a newer format', async () => {
    const dir = emptyDir()
    const store = await opened(jsEngine.make({ dir }))
    await store.close()
    const bytes = readFileSync(join(dir, 'DREY'))
    for (const at of [0, 512]) {
      bytes.writeUInt32LE(2, at + 8)
      bytes.writeUInt32LE(crc32c(bytes.subarray(at, at + 124)), at + 124)
    }
    writeFileSync(join(dir, 'DREY'), bytes)
    rmSync(join(dir, 'LOCK'), { recursive: true })
    const before = stateOf(dir)
    for (const repair of [false, true]) {
      await expect(verifyDirectory(dir, { repair })).rejects.toMatchObject({ code: 'ERR_DREY_FORMAT' })
    }
    expect(stateOf(dir)).toEqual(before)
    expect(readdirSync(dir).sort()).toEqual(['DREY', 'log'])
  })
})

test('the directory of each format version is whole', async () => {
  const dir = emptyDir()
  const fixture = fileURLToPath(new URL('../../../fixtures/disk-format/1/directory', import.meta.url))
  cpSync(fixture, dir, { recursive: true })
  await expectClean(dir)
})

test('a repair that finds no room says so, and what it leaves can be repaired', async () => {
  const dir = emptyDir()
  const model = new FileModel()
  const store = await fill(jsEngine.make, dir, model)
  await store.close()
  const { file, offset } = logOf(dir).findLast(({ kind, key }) => kind === KIND.put && key !== undefined)!
  flip(file, offset + 20)
  let writes = 0
  for (let most = 0; ; most = Math.ceil(most * 1.3) + 1) {
    expect(most).toBeLessThan(200)
    writes = 0
    const env = {
      ...systemEnv,
      write: async (fd: number, bytes: Uint8Array, at: number, length: number, position: number) => {
        writes += 1
        if (writes > most) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
        return systemEnv.write(fd, bytes, at, length, position)
      },
    }
    const copy = killed(dir)
    const failed = await verifyDirectory(copy, { repair: true, env }).then(
      () => undefined,
      (error: { code?: string }) => error.code,
    )
    if (failed !== undefined) expect(failed).toMatch(/^ERR_DREY_(NO_SPACE|IO)$/)
    await verifyDirectory(copy, { repair: true })
    await expectClean(copy)
    const again = await opened(jsEngine.make({ ...MORE, dir: copy }))
    await expectModel(again, model.entries, KEYS, true)
    expect(again.stats().entries).toBeGreaterThanOrEqual(model.entries.size - 1)
    await again.close()
    if (failed === undefined && writes <= most) break
  }
})
