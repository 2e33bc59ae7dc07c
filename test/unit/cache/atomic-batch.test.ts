import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { type Cache, type CacheOptions, createCache, fileStore, memoryStore } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { DistantStore } from '../../helpers/distant-store.js'
import { gate } from '../../helpers/gate.js'
import { rig } from '../../helpers/rig.js'

/*
 * `setMany` with `atomic`: whoever reads, at whatever moment, finds all of a batch or nothing of it.
 */

const dirs = (): string => mkdtempSync(join(tmpdir(), 'drey-atomic-'))
const file = (dir = dirs()) =>
  fileStore({ dir, maxBytes: '64MiB', segmentBytes: '4MiB', maxItemBytes: '2MiB', minFree: 0 })

const KINDS: Readonly<Record<string, () => CacheOptions>> = {
  memory: () => ({ tiers: [memoryStore({ maxBytes: '16MiB' })] }),
  'memory, compressed': () => ({ tiers: [memoryStore({ maxBytes: '16MiB', compression: 'gzip' })] }),
  'memory with a name': () => ({ tiers: [memoryStore({ maxBytes: '16MiB', name: `atomic-${names++}` })] }),
  file: () => ({ tiers: [file()] }),
  'memory over file': () => ({ tiers: [memoryStore({ maxBytes: '4MiB' }), file()] }),
  'small memory over file': () => ({
    tiers: [memoryStore({ maxBytes: '1MiB', maxItemBytes: 600 }), file()],
    writePolicy: 'through',
  }),
}
let names = 0

const open: Cache[] = []
async function made(options: CacheOptions): Promise<Cache> {
  const cache = await createCache({ pressure: false, ...options })
  open.push(cache)
  return cache
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()))
})

const KEYS = Array.from({ length: 12 }, (_, at) => `k${at}`)
/** Some small, some larger than what the log packs. */
const sizeOf = (at: number, round: number): number => [3, 500, 70_000][(at + round) % 3]! + at

function batch(round: number) {
  return KEYS.map((key, at) => ({ key, body: patterned(sizeOf(at, round)), etag: `"${round}"` }))
}

async function roundsIn(cache: Cache): Promise<ReadonlySet<string>> {
  const answers = await cache.getMany(KEYS)
  const rounds = new Set<string>()
  for (const answer of answers) {
    if (answer?.status !== 'ok') continue
    rounds.add(answer.meta.etag!)
    answer.close()
  }
  return rounds
}

describe.each(Object.keys(KINDS))('over %s', (kind) => {
  it('getMany finds all of one batch, at every moment', async () => {
    const cache = await made(KINDS[kind]!())
    await cache.setMany(batch(0), { atomic: true })
    let over = false
    const seen = new Set<string>()
    const reader = async (): Promise<void> => {
      while (!over) {
        const rounds = await roundsIn(cache)
        expect(rounds.size).toBeLessThanOrEqual(1)
        for (const round of rounds) seen.add(round)
        await turn()
      }
    }
    const readers = [reader(), reader(), reader()]
    for (let round = 1; round <= 12; round += 1) {
      const metas = await cache.setMany(batch(round), { atomic: true })
      expect(metas.map(({ size }) => size)).toEqual(KEYS.map((_, at) => sizeOf(at, round)))
      if (round % 3 === 0) await turn()
    }
    over = true
    await Promise.all(readers)
    expect(await roundsIn(cache)).toEqual(new Set(['"12"']))
    expect(seen.size).toBeGreaterThan(0)
  })

  it('lookups one after the other go from old to new once', async () => {
    const cache = await made(KINDS[kind]!())
    await cache.setMany(batch(0), { atomic: true })
    for (let round = 1; round <= 5; round += 1) {
      let done = false
      const set = cache.setMany(batch(round), { atomic: true }).then(() => {
        done = true
      })
      let newest = round - 1
      while (!done) {
        await turn()
        for (const key of KEYS) {
          const meta = await cache.stat(key)
          const found = meta === undefined ? newest : Number(JSON.parse(meta.etag!))
          expect(found).toBeGreaterThanOrEqual(newest)
          newest = found
        }
      }
      await set
    }
  })

  it('keeps what the values are, and the last of a key that is given twice', async () => {
    const cache = await made(KINDS[kind]!())
    const stream = pour('iterable')
    const stored = cache.setMany(
      [
        { key: 'a', body: 'first' },
        { key: 'b', body: { json: { b: 1 } }, tags: [], user: { of: 'b' } },
        { key: 'c', body: stream.body, ttl: '1m' },
        { key: 'a', body: 'second', etag: '"2"' },
      ],
      { atomic: true },
    )
    stream.push(Buffer.from('stre'))
    stream.push(Buffer.from('am'))
    stream.end()
    expect((await stored).map(({ size, user }) => [size, user])).toEqual([
      [5, undefined],
      [7, { of: 'b' }],
      [6, undefined],
      [6, undefined],
    ])
    const answers = await cache.getMany(['a', 'b', 'c'])
    const texts = answers.map((answer) => (answer?.status === 'ok' ? answer.text() : undefined))
    expect(await Promise.all(texts)).toEqual(['second', '{"b":1}', 'stream'])
  })

  it('takes bytes before it returns', async () => {
    const cache = await made(KINDS[kind]!())
    const bytes = Buffer.alloc(1000, 1)
    const stored = cache.setMany(
      [
        { key: 'a', body: bytes },
        { key: 'b', body: bytes },
      ],
      { atomic: true },
    )
    bytes.fill(2)
    await stored
    for (const answer of await cache.getMany(['a', 'b'])) {
      expect(answer?.status === 'ok' && (await answer.bytes()).equals(Buffer.alloc(1000, 1))).toBe(true)
    }
  })

  it('one that cannot be stored leaves all as they were', async () => {
    const cache = await made(KINDS[kind]!())
    await cache.setMany(batch(0), { atomic: true })
    const broken = pour('iterable')
    const cases: ReadonlyArray<readonly [object, string]> = [
      [{ key: 'k1', body: Buffer.alloc(40 * 2 ** 20) }, 'ERR_DREY_TOO_LARGE'],
      [{ key: 'k1', body: 'x', size: 2 }, 'ERR_DREY_TRUNCATED'],
      [{ key: '', body: 'x' }, 'ERR_DREY_KEY'],
      [{ key: 'k1', body: 7 }, 'ERR_DREY_CONFIG'],
      [{ key: 'k1', body: 'x', ttl: Number.NaN }, 'ERR_DREY_CONFIG'],
    ]
    for (const [bad, code] of cases) {
      const set = cache.setMany([...batch(1), bad as never], { atomic: true })
      await expect(set).rejects.toMatchObject({ code })
    }
    const failing = cache.setMany([...batch(1), { key: 'k1', body: broken.body }], { atomic: true })
    broken.fail(new Error('gone'))
    await expect(failing).rejects.toThrow('gone')
    expect(await roundsIn(cache)).toEqual(new Set(['"0"']))
    expect(await cache.setMany([], { atomic: true })).toEqual([])
    await expect(cache.setMany([], { atomic: 1 } as never)).rejects.toMatchObject({ code: 'ERR_DREY_CONFIG' })
  })

  it('a delete that comes after it wins, and a batch after a delete does', async () => {
    const cache = await made(KINDS[kind]!())
    const set = cache.setMany(batch(0), { atomic: true })
    const deleted = cache.delete('k3')
    const again = cache.setMany(batch(1).slice(4, 6), { atomic: true })
    await Promise.all([set, deleted, again])
    const etags = await Promise.all(KEYS.map(async (key) => (await cache.stat(key))?.etag))
    expect(etags).toEqual(KEYS.map((_, at) => (at === 3 ? undefined : at === 4 || at === 5 ? '"1"' : '"0"')))
  })

  it('a fill from before commits nothing over it', async () => {
    const cache = await made(KINDS[kind]!())
    const origin = gate()
    const fetched = cache.fetch('k1', async () => {
      await origin.opened
      return { body: 'old' }
    })
    await turn()
    await cache.setMany(batch(0), { atomic: true })
    origin.open()
    const answer = await fetched
    if (answer.status === 'ok') await answer.bytes()
    expect((await cache.stat('k1'))?.etag).toBe('"0"')
  })
})

it('what was set as one is there as one after a restart, whichever tier took it', async () => {
  const dir = dirs()
  const cache = await made({ tiers: [memoryStore({ maxBytes: '4MiB' }), file(dir)] })
  await cache.setMany(batch(0), { atomic: true })
  await cache.setMany(batch(1), { atomic: true })
  await cache.close()
  const again = await made({ tiers: [file(dir)] })
  expect(await roundsIn(again)).toEqual(new Set(['"1"']))
  const [first] = await again.getMany(['k2'])
  expect(first?.status === 'ok' && (await first.bytes()).equals(patterned(sizeOf(2, 1)))).toBe(true)
})

it('no room for all: none is set', async () => {
  const cache = await made({ tiers: [memoryStore({ maxBytes: '1MiB', maxItemBytes: '300KiB' })] })
  await cache.set('k0', 'before')
  const large = KEYS.map((key) => ({ key, body: patterned(250_000) }))
  await expect(cache.setMany(large, { atomic: true })).rejects.toMatchObject({ code: 'ERR_DREY_NO_SPACE' })
  for (const key of KEYS.slice(1)) expect(await cache.has(key)).toBe(false)
  expect([undefined, 6]).toContain((await cache.stat('k0'))?.size)
  await cache.setMany(large.slice(0, 2), { atomic: true })
  expect(await cache.has('k1')).toBe(true)
})

it('streams have no more than maxBufferedBytes together', async () => {
  const cache = await made({ tiers: [memoryStore({ maxBytes: '16MiB' })], maxBufferedBytes: 100_000 })
  const [one, other] = [pour('iterable'), pour('iterable')]
  const set = cache.setMany(
    [
      { key: 'a', body: one.body },
      { key: 'b', body: other.body },
    ],
    { atomic: true },
  )
  one.push(patterned(60_000))
  other.push(patterned(60_000))
  await expect(set).rejects.toMatchObject({ code: 'ERR_DREY_TOO_LARGE' })
  expect(await cache.has('a')).toBe(false)
})

it('a listener that reads while room is made finds all or nothing', async () => {
  const cache = await made({ tiers: [memoryStore({ maxBytes: '1MiB', policy: 'lru' })] })
  const keys = Array.from({ length: 10 }, (_, at) => `m${at}`)
  const set = (round: number) =>
    cache.setMany(
      keys.map((key) => ({ key, body: patterned(20_000), etag: `"${round}"` })),
      { atomic: true },
    )
  await set(0)
  let told = 0
  cache.on('evict', () => {
    told += 1
    const rounds = new Set(keys.flatMap((key) => cache.getSync(key)?.meta.etag ?? []))
    expect(rounds.size).toBeLessThanOrEqual(1)
  })
  for (let round = 1; round < 20; round += 1) {
    for (let at = 0; at < 10; at += 1) await cache.set(`other ${round} ${at}`, patterned(30_000))
    await set(round)
  }
  expect(told).toBeGreaterThan(0)
})

it('says which tier cannot', async () => {
  const { cache } = await rig('distant')
  const [one] = [{ key: 'a', body: 'v' }]
  await expect(cache.setMany([one!], { atomic: true })).rejects.toThrow(/the distant tier cannot/)
  const behind = new DistantStore()
  Object.assign(behind, { outlives: true })
  const tiers = await made({ tiers: [memoryStore({ maxBytes: '4MiB' }), behind] })
  await expect(tiers.setMany([one!], { atomic: true })).rejects.toThrow(/the distant tier cannot/)
})
