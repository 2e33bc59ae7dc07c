import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type Cache,
  type CacheOptions,
  createCache,
  createGroup,
  fileStore,
  memoryStore,
} from '../../../lib/index.js'
import { CATALOGUE } from '../../../lib/metrics/catalogue/index.js'
import { BOUNDS, exposition, prometheusCollector } from '../../../lib/metrics/prometheus.js'
import { type ParsedFamily, parseExposition } from '../../helpers/exposition.js'

const open: Cache[] = []
let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'drey-metrics-'))
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((cache) => cache.close()))
  rmSync(dir, { recursive: true })
})

async function made(options: CacheOptions = {}): Promise<Cache> {
  const given = { tiers: [memoryStore({ maxBytes: '8MiB' })], metrics: { sampling: 1 }, ...options }
  const cache = await createCache(given)
  open.push(cache)
  return cache
}

/** A cache that has done a little of everything, over memory and a disk. */
async function busy(): Promise<Cache> {
  const disk = fileStore({ dir, maxBytes: '64MiB', compression: 'lz4' })
  const cache = await made({
    tiers: [memoryStore({ maxBytes: '8MiB' }), disk],
    breaker: { failures: 1, openFor: '1h', openForAtMost: '1h' },
  })
  await cache.set('set', 'value')
  cache.getSync('set')
  await (await cache.get('set'))?.status
  const found = await cache.fetch('fetched', () => ({ body: 'a body' }))
  if (found.status === 'ok') await found.text()
  const failing = (): never => {
    throw new Error('a message with "quotes", which is in no label')
  }
  for (const key of ['one', 'two'])
    await cache.fetch(key, failing, { origin: 'api "v1"\\\n' }).catch(() => undefined)
  await cache.delete('set')
  return cache
}

const amountOf = (
  families: Map<string, ParsedFamily>,
  name: string,
  labels: Record<string, string>,
): number =>
  (families.get(name)?.samples ?? [])
    .filter((sample) => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0)

describe('the text', () => {
  test('has every metric of the catalogue, as the catalogue says', async () => {
    const families = parseExposition(exposition({ main: await busy() }))
    expect([...families.keys()]).toEqual(CATALOGUE.map(({ name }) => `drey_${name}`))
    for (const { name, kind, labels, help } of CATALOGUE) {
      const family = families.get(`drey_${name}`)!
      expect(family.type, name).toBe(kind)
      expect(family.help, name).toBe(help)
      for (const sample of family.samples) {
        const own = Object.keys(sample.labels).filter((label) => label !== 'cache' && label !== 'le')
        expect(own, name).toEqual(labels)
      }
    }
  })

  test('says what happened', async () => {
    const families = parseExposition(exposition({ main: await busy() }))
    expect(amountOf(families, 'drey_answers_total', { tier: 'memory', outcome: 'hit' })).toBe(2)
    expect(amountOf(families, 'drey_answers_total', { outcome: 'miss' })).toBe(1)
    expect(amountOf(families, 'drey_set_bytes_total', {})).toBe(5)
    expect(amountOf(families, 'drey_origin_bytes_total', {})).toBe(6)
    // `getSync` gave it whole; of `get` nothing was read.
    expect(amountOf(families, 'drey_read_bytes_total', { tier: 'memory' })).toBe(5)
    expect(amountOf(families, 'drey_read_bytes_total', { tier: 'none' })).toBe(6)
    expect(amountOf(families, 'drey_errors_total', { operation: 'fetch', code: 'ERR_DREY_ORIGIN' })).toBe(1)
    expect(
      amountOf(families, 'drey_errors_total', { operation: 'fetch', code: 'ERR_DREY_BREAKER_OPEN' }),
    ).toBe(1)
    expect(amountOf(families, 'drey_origin_refusals_total', { origin: 'api "v1"\\\n' })).toBe(1)
    expect(amountOf(families, 'drey_origins', { breaker: 'open' })).toBe(1)
  })

  test('has histograms whose buckets rise up to all that there are', async () => {
    const families = parseExposition(exposition({ main: await busy() }))
    const { samples } = families.get('drey_operation_duration_seconds')!
    const bySeries = new Map<string, number[]>()
    for (const { name, labels, value } of samples) {
      if (name.endsWith('_sum')) continue
      const { le: _, ...own } = labels
      const key = JSON.stringify(own)
      bySeries.set(key, [...(bySeries.get(key) ?? []), value])
    }
    expect(bySeries.size).toBeGreaterThan(5)
    for (const counts of bySeries.values()) {
      expect(counts).toHaveLength(BOUNDS.length + 2)
      expect(counts).toEqual([...counts].sort((a, b) => a - b))
      expect(counts.at(-1)).toBe(counts.at(-2))
    }
  })

  test('can be read again whatever the names of caches and origins are', async () => {
    const cache = await made({ breaker: { failures: 1, openFor: '1h', openForAtMost: '1h' } })
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(name, name, async (own, origin) => {
        const failing = (): never => {
          throw new Error('down')
        }
        for (const key of ['1', '2']) await cache.fetch(key, failing, { origin }).catch(() => undefined)
        const families = parseExposition(exposition(new Map([[own, cache]])))
        expect(families.get('drey_fills_total')!.samples[0]!.labels['cache']).toBe(own)
      }),
      { numRuns: 40 },
    )
  })

  test('has no more series for many origins, nor for many keys', async () => {
    const cache = await made({ breaker: { failures: 1, openFor: '1h', openForAtMost: '1h' } })
    const failing = (): never => {
      throw new Error('down')
    }
    const lines = (): number => exposition({ cache }).split('\n').length
    const ask = async (from: number, to: number): Promise<void> => {
      for (let at = from; at < to; at += 1) {
        const call = (): Promise<unknown> => cache.fetch(`key ${at}`, failing, { origin: `origin ${at}` })
        await call().catch(() => undefined)
        await call().catch(() => undefined)
      }
    }
    await ask(0, 60)
    const before = lines()
    await ask(60, 1200)
    expect(lines()).toBe(before)
    const { samples } = parseExposition(exposition({ cache })).get('drey_origin_refusals_total')!
    expect(samples).toHaveLength(51)
    expect(samples.find(({ labels }) => labels['origin'] === 'other')?.value).toBe(1150)
  })

  test('has caches by name, those of a group as they come and go, and none that is closed', async () => {
    const group = createGroup()
    try {
      const caches = (): unknown[] =>
        (parseExposition(exposition(group.caches)).get('drey_fills_total')?.samples ?? []).map(
          ({ labels }) => labels['cache'],
        )
      expect(caches()).toEqual([])
      const pages = await group.createCache('pages', { tiers: [memoryStore({ maxBytes: '8MiB' })] })
      await group.createCache('images', { tiers: [memoryStore({ maxBytes: '8MiB' })] })
      expect(caches()).toEqual(['pages', 'images'])
      await pages.close()
      expect(caches()).toEqual(['images'])
      expect(exposition({ pages })).toBe('')
    } finally {
      await group.close()
    }
  })

  test('tells tiers of one name apart', async () => {
    const two = [memoryStore({ maxBytes: '8MiB' }), memoryStore({ maxBytes: '8MiB' })]
    const cache = await made({ tiers: two })
    await cache.set('a', 'b')
    await cache.get('a')
    const { samples } = parseExposition(exposition({ cache })).get('drey_tier_entries')!
    expect(samples.map(({ labels }) => labels['tier'])).toEqual(['memory', 'memory-2'])
  })

  test.each([
    [undefined, 'caches: got undefined; want caches by name'],
    [null, 'caches: got null; want caches by name'],
    [{ a: {} }, 'caches.a: got an object; want a cache that createCache() made'],
    [{ a: 1 }, 'caches.a: got 1; want a cache that createCache() made'],
    [{ '': {} }, 'caches: got a name of 0 characters; want 1 to 200'],
  ])('of %o there is none', (caches, message) => {
    expect(() => exposition(caches as never)).toThrow(message)
  })

  test('begins every name with the prefix', async () => {
    const cache = await made()
    expect(parseExposition(exposition({ cache }, { prefix: 'shop_' })).has('shop_fills_total')).toBe(true)
    for (const prefix of ['', '1a', 'a-b', 7, 'a'.repeat(100)]) {
      expect(() => exposition({ cache }, { prefix: prefix as string })).toThrow(
        /^prefix: got .*; want letters/,
      )
    }
  })

  const promtool = spawnSync('promtool', ['--version']).status === 0
  if (!promtool) console.warn('promtool is not installed: what it says of the metrics is not checked')
  test.runIf(promtool)('is clean for promtool', async () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], {
      input: exposition({ main: await busy(), 'with "quotes"': await made() }),
      encoding: 'utf8',
    })
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '', stderr: '' })
  })
})

describe('in a register of prom-client', () => {
  test('is the same as the text', async () => {
    const cache = await busy()
    const register = new Registry()
    prometheusCollector({ main: cache }, { register })
    const theirs = parseExposition((await register.metrics()).replaceAll('\n\n', '\n'))
    const ours = parseExposition(exposition({ main: cache }))
    for (const [name, { help, type, samples }] of ours) {
      expect(theirs.get(name), name).toMatchObject({ help, type })
      // Times go on, and what the thread does: what there is of them is the same.
      const shown = (all: typeof samples): unknown[] =>
        all.map((sample) => (/pressure|gc|loop|disk_(free|room)/.test(name) ? sample.labels : sample))
      expect(shown(theirs.get(name)!.samples), name).toEqual(shown(samples))
    }
  })

  test('counts on while it is there, and leaves without a trace', async () => {
    const cache = await made()
    const register = new Registry()
    const collector = prometheusCollector({ cache }, { register, prefix: 'mine_' })
    expect(await register.metrics()).toContain('mine_set_bytes_total{cache="cache"} 0')
    await cache.set('a', 'bytes')
    expect(await register.metrics()).toContain('mine_set_bytes_total{cache="cache"} 5')
    register.resetMetrics()
    expect(await register.metrics()).toContain('mine_set_bytes_total{cache="cache"} 5')
    collector.close()
    collector.close()
    expect((await register.metrics()).trim()).toBe('')
  })

  test('one register has one collector of a prefix; a second one leaves it as it was', async () => {
    const cache = await made()
    const register = new Registry()
    prometheusCollector({ cache }, { register })
    expect(() => prometheusCollector({ cache }, { register })).toThrow(
      /^register: .*; give all caches to one collector/,
    )
    expect(await register.metrics()).toContain('drey_fills_total{cache="cache"} 0')
  })

  test.each([[undefined], [{}], [{ register: {} }], [{ register: null }]])(
    'not with the options %o',
    async (options) => {
      const cache = await made()
      expect(() => prometheusCollector({ cache }, options as never)).toThrow(
        'register: want a Registry of prom-client',
      )
    },
  )
})
