import { cpSync, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { crc32c } from '../../../../lib/native/crc32c.js'
import { native } from '../../../../lib/native/loader.js'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import type { FileConfig } from '../../../../lib/store/file/options.js'
import type { Metadata } from '../../../../lib/store/store.js'
import { bytesOf, keysOf, metadataFor, mustFind, mustPut, readAll } from '../../../conformance/store-kit.js'
import { blocksOf, expectModel, FileModel, killed } from '../../../helpers/file-model.js'
import { type Engine, emptyDir, engines, opened } from '../../../helpers/file-rig.js'

/*
 * The engines open each other's directories: what one wrote, the other reads, after a close and after a death.
 */

const KiB = 1024
const MiB = 1024 * KiB
const ROOM: Partial<FileConfig> = { maxBytes: 64 * MiB, chunkBytes: 4 * KiB, packLimit: 12 * KiB }
const KEYS = Array.from({ length: 10 }, (_, index) => `key ${index} é`)

const both = engines()
const pairs = both.flatMap((writer) => both.map((reader) => ({ writer, reader })))

/** One of each kind of change. */
async function change(store: FileStore, model: FileModel): Promise<void> {
  for (const [index, size] of [0, 1, 100, 4096, 12 * KiB, 12 * KiB + 1, 60_000, 300_000].entries()) {
    expect(await model.put(store, KEYS[index]!, size)).toBe(true)
  }
  expect(await store.delete(KEYS[2]!)).toBe(true)
  model.entries.delete(KEYS[2]!)
  for (const key of [KEYS[1]!, KEYS[6]!]) {
    const entry = await mustFind(store, key)
    const metadata = { ...entry.metadata, etag: '"revised"', user: { list: [1, null, 'é'] } }
    expect(await store.revise(key, entry, metadata)).toBe(true)
    entry.release()
    model.entries.set(key, { ...model.entries.get(key)!, metadata })
  }
  const drafts = []
  for (const [key, size] of [
    [KEYS[8]!, 500],
    [KEYS[9]!, 100_000],
  ] as const) {
    const version = model.next(key, size)
    const draft = (await store.draft(key, size))!
    expect(await draft.write(version.value)).toBe(true)
    drafts.push({ key, draft, metadata: version.metadata })
    model.entries.set(key, version)
  }
  expect(await store.commitAll([...drafts, { key: KEYS[3]!, remove: true }])).toBe(true)
  model.entries.delete(KEYS[3]!)
}

async function expectAll(store: FileStore, model: FileModel): Promise<void> {
  await expectModel(store, model.entries, KEYS, false)
  expect(await keysOf(store)).toEqual([...model.entries.keys()].sort())
  expect(store.stats()).toMatchObject({ entries: model.entries.size, corrupt: 0, diskErrors: 0 })
}

describe.each(pairs)(
  'what the $writer.name engine wrote, the $reader.name engine reads (I10)',
  ({ writer, reader }) => {
    test.each(['none', 'process', 'power'] as const)('after a close: durability %s', async (durability) => {
      const dir = emptyDir()
      const model = new FileModel()
      const store = await opened(writer.make({ ...ROOM, dir, durability }))
      await change(store, model)
      await store.close()
      const other = await opened(reader.make({ ...ROOM, dir, durability }))
      expect(other.stats().recovery).toMatchObject({ clean: true, doubt: false, damagedBytes: 0 })
      await expectAll(other, model)
      await other.clear()
      await other.close()
      const last = await opened(writer.make({ ...ROOM, dir, durability }))
      expect(await keysOf(last)).toEqual([])
      await last.close()
    })

    test.each(['process', 'power'] as const)('after a death: durability %s', async (durability) => {
      const dir = emptyDir()
      const model = new FileModel()
      const store = await opened(writer.make({ ...ROOM, dir, durability }))
      await change(store, model)
      const left = killed(dir)
      await store.close()
      const other = await opened(reader.make({ ...ROOM, dir: left, durability }))
      expect(other.stats().recovery).toMatchObject({ clean: false, doubt: false, damagedBytes: 0 })
      await expectAll(other, model)
      expect(blocksOf(left)).toBeLessThanOrEqual(other.stats().bytes)
      await other.close()
    })
  },
)

type Step =
  | { readonly kind: 'put'; readonly key: string; readonly size: number }
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'close' | 'die' | 'clear' }

const steps = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('put' as const),
        key: fc.constantFrom(...KEYS),
        size: fc.oneof(fc.nat(300), fc.nat(30 * KiB), fc.nat(200 * KiB)),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant('delete' as const), key: fc.constantFrom(...KEYS) }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('close' as const, 'die' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
  ),
  { minLength: 15, maxLength: 40, size: 'max' },
)

async function takeTurns(all: readonly Step[], more: Partial<FileConfig>, mayMiss: boolean): Promise<void> {
  let turn = 0
  let dir = emptyDir()
  const engine = (): Engine => both[turn++ % both.length]!
  const open = (): Promise<FileStore> => opened(engine().make({ ...more, dir }))
  let store = await open()
  const model = new FileModel()
  try {
    for (const step of all) {
      switch (step.kind) {
        case 'put':
          if (!(await model.put(store, step.key, step.size))) expect(mayMiss).toBe(true)
          break
        case 'delete':
          await store.delete(step.key)
          model.entries.delete(step.key)
          break
        case 'clear':
          await store.clear()
          model.entries.clear()
          break
        case 'close':
          await store.close()
          store = await open()
          break
        case 'die': {
          const left = killed(dir)
          await store.close()
          dir = left
          store = await open()
          break
        }
      }
      await expectModel(store, model.entries, KEYS, mayMiss)
    }
    expect(store.stats()).toMatchObject({ corrupt: 0, diskErrors: 0 })
  } finally {
    await store.close()
  }
}

describe('engines that take turns agree with a map', () => {
  test('with room for all', { timeout: 300_000 }, () =>
    fc.assert(
      fc.asyncProperty(steps, (all) => takeTurns(all, ROOM, false)),
      { numRuns: 15 },
    ),
  )
  test('always full', { timeout: 300_000 }, () =>
    fc.assert(
      fc.asyncProperty(steps, (all) => takeTurns(all, { maxBytes: 2 * MiB }, true)),
      { numRuns: 15 },
    ),
  )
})

const FIXTURE = fileURLToPath(new URL('../../../fixtures/disk-format/1', import.meta.url))
const addon = native()

test.runIf(addon !== undefined && existsSync(FIXTURE))(
  'the fixture of version 1 opens natively',
  async () => {
    const expected = JSON.parse(readFileSync(`${FIXTURE}/expected.json`, 'utf8')) as {
      readonly entries: Record<string, { readonly crc32c: number; readonly metadata: Metadata }>
      readonly absent: readonly string[]
    }
    const dir = emptyDir()
    cpSync(`${FIXTURE}/directory`, dir, { recursive: true })
    const [, nativeEngine] = both
    const store = await opened(nativeEngine!.make({ ...ROOM, dir }))
    for (const key of Object.keys(expected.entries)) {
      const entry = await mustFind(store, key)
      expect(crc32c(await readAll(entry)), key).toBe(expected.entries[key]!.crc32c)
      expect(entry.metadata.etag).toBe(expected.entries[key]!.metadata.etag)
      entry.release()
    }
    for (const key of expected.absent) expect(await store.find(key)).toBeUndefined()
    await store.close()
  },
)

test('a directory has one owner, whichever engine it is', async () => {
  for (const { writer, reader } of pairs) {
    // Stores of one process share a directory natively.
    if (writer.name === 'native' && reader.name === 'native') continue
    const dir = emptyDir()
    const store = await opened(writer.make({ ...ROOM, dir }))
    await expect(opened(reader.make({ ...ROOM, dir }))).rejects.toMatchObject({ code: 'ERR_DREY_LOCKED' })
    await mustPut(store, 'k', bytesOf(10, 'k'), { metadata: metadataFor(10) })
    await store.close()
  }
})
