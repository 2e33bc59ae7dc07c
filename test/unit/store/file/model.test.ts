import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FileStore } from '../../../../lib/store/file/file-store.js'
import type { FileConfig } from '../../../../lib/store/file/options.js'
import { mustFind } from '../../../conformance/store-kit.js'
import { blocksOf, expectModel, FileModel, killed, type Version } from '../../../helpers/file-model.js'
import { type Engine, emptyDir, enginesOfPath, NOW, opened } from '../../../helpers/file-rig.js'

/*
 * Random calls, with closes and kills in between, against a Map. The store may have lost what it had no room for; it must
 * never give anything else, and with room for all it must have all. The directory never takes more than its bound.
 */

const KiB = 1024
const MiB = 1024 * KiB
const RUNS = Number(process.env['MODEL_RUNS'] ?? 1) * 12
const KEYS = Array.from({ length: 12 }, (_, index) => `key ${index}`)

type Step =
  | { readonly kind: 'put'; readonly key: string; readonly size: number }
  | { readonly kind: 'batch'; readonly keys: readonly string[]; readonly size: number; readonly gone: string }
  | { readonly kind: 'find' | 'delete' | 'revise'; readonly key: string }
  | { readonly kind: 'clear' | 'reopen' | 'kill' }
  | { readonly kind: 'together'; readonly keys: readonly string[]; readonly size: number }

const key = fc.constantFrom(...KEYS)
const size = fc.oneof(
  fc.nat(300),
  fc.integer({ min: 4000, max: 4200 }),
  fc.nat(70 * KiB),
  fc.integer({ min: 64 * KiB - 2, max: 64 * KiB + 2 }),
  fc.nat(300 * KiB),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('put' as const), key, size }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('find' as const), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('revise' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('together' as const),
      keys: fc.array(key, { minLength: 2, maxLength: 8 }),
      size,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      keys: fc.uniqueArray(key, { minLength: 1, maxLength: 4 }),
      size: fc.nat(10 * KiB),
      gone: key,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('reopen' as const, 'kill' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
)

class World {
  readonly model = new FileModel()
  readonly #engine: Engine
  readonly #more: Partial<FileConfig>
  readonly #mayMiss: boolean
  store!: FileStore
  dir = ''

  constructor(engine: Engine, more: Partial<FileConfig>, mayMiss: boolean) {
    this.#engine = engine
    this.#more = more
    this.#mayMiss = mayMiss
  }

  async begin(dir = emptyDir()): Promise<void> {
    this.store = await opened(this.#engine.make({ ...this.#more, dir }))
    this.dir = dir
  }

  async run(step: Step): Promise<void> {
    const { model, store } = this
    switch (step.kind) {
      case 'put':
        if (!(await model.put(store, step.key, step.size))) expect(this.#mayMiss).toBe(true)
        break
      case 'find':
        await expectModel(store, model.entries, [step.key], this.#mayMiss)
        break
      case 'delete':
        await store.delete(step.key)
        model.entries.delete(step.key)
        expect(await store.find(step.key)).toBeUndefined()
        break
      case 'revise':
        await this.#revise(step.key)
        break
      case 'together':
        await this.#together(step.keys, step.size)
        break
      case 'batch':
        await this.#batch(step.keys, step.size, step.gone)
        break
      case 'clear':
        await store.clear()
        model.entries.clear()
        break
      case 'reopen':
        await store.close()
        await this.begin(this.dir)
        expect(this.store.stats().recovery).toMatchObject({ clean: true, doubt: false, damagedBytes: 0 })
        break
      case 'kill': {
        const dir = killed(this.dir)
        await store.close()
        await this.begin(dir)
        expect(this.store.stats().recovery).toMatchObject({ doubt: false, damagedBytes: 0 })
        break
      }
    }
    const { bytes, maxBytes } = this.store.stats()
    expect(bytes).toBeLessThanOrEqual(maxBytes)
    expect(blocksOf(this.dir)).toBeLessThanOrEqual(bytes)
  }

  async finish(): Promise<void> {
    await expectModel(this.store, this.model.entries, KEYS, this.#mayMiss)
    if (!this.#mayMiss) expect(this.store.stats().entries).toBe(this.model.entries.size)
    expect(this.store.stats()).toMatchObject({ corrupt: 0, diskErrors: 0, pinnedBytes: 0 })
    await this.store.close()
  }

  async #revise(key: string): Promise<void> {
    const expected = this.model.entries.get(key)
    const entry = await this.store.find(key)
    if (entry === undefined || expected === undefined) {
      expect(entry).toBeUndefined()
      return
    }
    const metadata = { ...expected.metadata, freshUntil: NOW + 1000, etag: `${expected.metadata.etag}r` }
    const revised = await this.store.revise(key, entry, metadata)
    entry.release()
    if (revised) this.model.entries.set(key, { ...expected, metadata })
    else expect(this.#mayMiss).toBe(true)
  }

  /** Puts at once: each key has one of its values, or none. */
  async #together(keys: readonly string[], size: number): Promise<void> {
    const versions = keys.map((key) => [key, this.model.next(key, size)] as const)
    await Promise.all(
      versions.map(async ([key, { value, metadata }]) => {
        const draft = await this.store.draft(key, undefined)
        if (draft === undefined || !(await draft.write(value))) draft?.abort()
        else await draft.commit(metadata)
      }),
    )
    for (const key of new Set(keys)) {
      const entry = await this.store.find(key)
      const etag = entry?.metadata.etag
      entry?.release()
      const all = [...versions.filter(([of]) => of === key).map(([, version]) => version)]
      const before = this.model.entries.get(key)
      if (this.#mayMiss && before !== undefined) all.push(before)
      const there = all.find(({ metadata }) => metadata.etag === etag)
      if (there !== undefined) this.model.entries.set(key, there)
      else if (entry === undefined && this.#mayMiss) this.model.entries.delete(key)
      else throw new Error(`${key} is ${etag}, which is none of what it was given`)
    }
  }

  async #batch(keys: readonly string[], size: number, gone: string): Promise<void> {
    const versions: Array<readonly [string, Version]> = keys.map((key) => [key, this.model.next(key, size)])
    const drafts = []
    for (const [key, version] of versions) {
      const draft = (await this.store.draft(key, undefined))!
      await draft.write(version.value)
      drafts.push({ key, draft, metadata: version.metadata })
    }
    const removed = keys.includes(gone) ? [] : [{ key: gone, remove: true as const }]
    if (await this.store.commitAll([...drafts, ...removed])) {
      for (const [key, version] of versions) this.model.entries.set(key, version)
      if (removed.length > 0) this.model.entries.delete(gone)
    } else {
      expect(this.#mayMiss).toBe(true)
    }
  }
}

async function property(engine: Engine, more: Partial<FileConfig>, mayMiss: boolean): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
      const world = new World(engine, more, mayMiss)
      await world.begin()
      try {
        for (const one of steps) await world.run(one)
        await world.finish()
      } finally {
        await world.store.close()
      }
    }),
    { numRuns: RUNS },
  )
}

describe.each(enginesOfPath())('the $name engine agrees with a map, across closes and kills', (engine) => {
  test('with room for all', { timeout: 300_000 }, () => property(engine, { maxBytes: 64 * MiB }, false))
  test('with room for all, in blobs and many chunks', { timeout: 300_000 }, () =>
    property(engine, { maxBytes: 64 * MiB, packLimit: 100, chunkBytes: 4096 }, false),
  )
  test('with room for all, against the loss of power', { timeout: 300_000 }, () =>
    property(engine, { maxBytes: 64 * MiB, durability: 'power' }, false),
  )
  test('always full', { timeout: 300_000 }, () => property(engine, { maxBytes: 2 * MiB }, true))
  test('always full of small values, kept by who was read', { timeout: 300_000 }, () =>
    property(
      engine,
      { maxBytes: MiB, segmentBytes: 128 * KiB, maxItemBytes: 64 * KiB, packLimit: 64 * KiB, policy: 'lru' },
      true,
    ),
  )
  // The native engine's index grows by more than that.
  test.runIf(engine.name === 'js')('in an index that is always full', { timeout: 300_000 }, () =>
    property(engine, { maxIndexBytes: 48 * 6, segmentBytes: 64 * KiB, packLimit: 16 * KiB }, true),
  )
})

describe.each(enginesOfPath())('an entry of the $name engine', ({ make }) => {
  test('that is open is read on after its segment was reclaimed', async () => {
    const store = await opened(make({ maxBytes: 2 * MiB, policy: 'fifo' }))
    const model = new FileModel()
    await model.put(store, 'held', 200 * KiB)
    const entry = await mustFind(store, 'held')
    for (let index = 0; index < 40; index += 1) await model.put(store, `other ${index}`, 100 * KiB)
    expect(await store.find('held')).toBeUndefined()
    const target = Buffer.alloc(200 * KiB)
    for (let at = 0; at < target.length; ) at += await entry.read(target.subarray(at), at)
    expect(target.equals(model.entries.get('held')!.value)).toBe(true)
    entry.release()
    await store.close()
  })
})
