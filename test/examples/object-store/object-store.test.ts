import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createCache, memoryStore } from '../../../lib/index.js'
import { type MakeStore, runSuite, storeSuite } from '../../../lib/testing/index.js'
import {
  begin,
  bytesOf,
  metadataFor,
  mustPut,
  open,
  readAll,
  readValue,
} from '../../conformance/store-kit.js'
import { found, rigOver, settled } from '../../helpers/rig.js'
import { httpBucket } from './bucket.js'
import { nameOf } from './head.js'
import { ObjectStore } from './object-store.js'
import { type BucketCall, type Fault, type StandIn, serveBucket, standInBucket } from './stand-in.js'

const MiB = 2 ** 20
let bucket: StandIn

/** Over a new bucket; or over the one before. */
const made: MakeStore = (bounds) => {
  bucket = standInBucket()
  return again(bounds)
}
const again: MakeStore = (bounds) => new ObjectStore({ bucket, partBytes: 100_000, ...bounds })

describe('a store in a bucket keeps the contract of a store', () => {
  runSuite(storeSuite(made, { reopen: again }), test)
  afterEach(async () => {
    // Nothing lies in the bucket that no head names.
    const store = new ObjectStore({ bucket, maxBytes: 4 * MiB, partBytes: 100_000 })
    const before = [...bucket.objects.keys()].filter((name) => name.startsWith('v/'))
    await open(() => store)
    expect([...bucket.objects.keys()].filter((name) => name.startsWith('v/'))).toEqual(before)
    const bytes = [...bucket.objects.values()].reduce((sum, object) => sum + object.bytes.length, 0)
    expect(store.stats().bytes).toBe(bytes)
  })
})

describe('the same over HTTP', () => {
  let server: Awaited<ReturnType<typeof serveBucket>>
  beforeAll(async () => {
    server = await serveBucket({
      get: (...all) => bucket.get(...all),
      put: (...all) => bucket.put(...all),
      remove: (...all) => bucket.remove(...all),
      list: (...all) => bucket.list(...all),
    })
  })
  afterAll(() => server.close())

  const over: MakeStore = (bounds) => new ObjectStore({ bucket: httpBucket(server.url, 60_000), ...bounds })
  const suite = storeSuite((bounds) => {
    bucket = standInBucket()
    return over(bounds)
  })
  // Those of a few requests each: what the store does is checked above, here only what HTTP makes of it.
  runSuite(
    suite.filter(({ rule }) => ['S1', 'S2', 'S5', 'read', 'revise'].includes(rule)),
    test,
  )

  test('a bucket that is gone costs an error, and no more', async () => {
    const gone = await serveBucket(standInBucket())
    await gone.close()
    const its = httpBucket(gone.url)
    const calls = [its.get('h/a'), its.put('h/a', Buffer.from('a')), its.remove('h/a'), its.list('h/')]
    const ends = await Promise.allSettled(calls)
    expect(ends.map(({ status }) => status)).toEqual(Array(4).fill('rejected'))
  })
})

describe('an older write never replaces a newer one', () => {
  const store = async (): Promise<ObjectStore> => (await open(made)).store as ObjectStore

  test('though it was under way when the newer one was made', async () => {
    const its = await store()
    await mustPut(its, 'k', bytesOf(10, 'first'))
    const carryOut = bucket.delayNextPut()
    await expect(mustPut(its, 'k', bytesOf(10, 'late'))).rejects.toThrow('under way for too long')
    await mustPut(its, 'k', bytesOf(10, 'newer'))
    expect(await carryOut()).toBe(false)
    expect(await readValue(its, 'k')).toEqual(bytesOf(10, 'newer'))
  })

  test.each([
    ['of a key that had a value', true],
    ['of a new key', false],
  ])('nor comes back after a delete, %s', async (_, there) => {
    const its = await store()
    if (there) await mustPut(its, 'k', bytesOf(10, 'first'))
    const carryOut = bucket.delayNextPut()
    await expect(mustPut(its, 'k', bytesOf(100_000, 'late'))).rejects.toThrow('under way for too long')
    expect(await its.find('k')).toBeUndefined()
    await mustPut(its, 'k', bytesOf(10, 'newer'))
    expect(await its.delete('k')).toBe(true)
    expect(await carryOut()).toBe(false)
    expect(await its.find('k')).toBeUndefined()
    await its.clear()
    await its.close()
    // All that is left is the empty head that kept it away; the next to open the bucket removes that.
    expect([...bucket.objects.values()].map(({ bytes }) => bytes.length)).toEqual([0])
    await open(again)
    expect(bucket.objects.size).toBe(0)
  })

  test('nor what another process has put', async () => {
    const its = await store()
    await mustPut(its, 'k', bytesOf(10, 'first'))
    const { store: others } = await open(again)
    await mustPut(others, 'k', bytesOf(100_000, 'others'))
    expect(await readValue(its, 'k')).toEqual(bytesOf(100_000, 'others'))
    // Who has not seen it yet does before it puts; and then its own is the newer.
    await mustPut(its, 'k', bytesOf(10, 'newer'))
    expect(await readValue(others, 'k')).toEqual(bytesOf(10, 'newer'))
  })

  test('one that others overtake each time is given up', async () => {
    const its = await store()
    await mustPut(its, 'k', bytesOf(10, 'first'))
    const draft = await begin(its, 'k', 10)
    await draft.write(bytesOf(10, 'mine'))
    let others = 0
    bucket.fault = (call, name) => {
      if (call === 'put')
        bucket.objects.set(name, { bytes: bucket.objects.get(name)!.bytes, etag: `"others ${++others}"` })
      return undefined
    }
    expect(await draft.commit(metadataFor(10))).toBe(false)
    bucket.fault = undefined
    expect(await readValue(its, 'k')).toEqual(bytesOf(10, 'first'))
    expect(its.stats().pinnedBytes).toBe(0)
  })
})

test('a value whose parts are gone fails instead of being short', async () => {
  const { store } = await open(made)
  await mustPut(store, 'k', bytesOf(250_000, 'k'))
  const entry = (await store.find('k'))!
  for (const name of bucket.objects.keys()) if (name.endsWith('/1')) bucket.objects.delete(name)
  await expect(readAll(entry)).rejects.toThrow('is not there any more')
  entry.release()
})

test('names in the bucket say nothing of keys', async () => {
  const { store } = await open(made)
  await mustPut(store, '../../secret', bytesOf(100_000, 'k'))
  for (const name of bucket.objects.keys())
    expect(name).toMatch(/^(h\/[0-9a-f]{64}|v\/[0-9a-f]{64}\/[0-9a-f-]{36}\/\d+)$/)
  // Somebody else's under that name is not taken for it.
  const head = bucket.objects.get(`h/${nameOf('../../secret')}`)!
  bucket.objects.set(`h/${nameOf('other')}`, head)
  expect(await store.find('other')).toBeUndefined()
})

const CALLS: readonly BucketCall[] = ['get', 'put', 'remove', 'list']
const FAULTS: readonly Fault[] = ['before', 'after']

describe('below memory in a cache', () => {
  const tiers = () => {
    bucket = standInBucket()
    return new ObjectStore({ bucket, maxBytes: 16 * MiB, partBytes: 100_000 })
  }

  test('it has what memory has lost, after a restart, too', async () => {
    const cache = await createCache({ tiers: [memoryStore(), tiers()], writePolicy: 'through' })
    for (const size of [10, 300_000]) await cache.set(`k${size}`, bytesOf(size, size), { etag: `"${size}"` })
    await cache.delete('k10')
    await cache.set('k10', bytesOf(10, 'newer'))
    await cache.close()

    const store = new ObjectStore({ bucket, maxBytes: 16 * MiB, partBytes: 100_000 })
    const warm = await createCache({ tiers: [memoryStore(), store] })
    const small = found(await warm.get('k10'))
    expect([small.tier, await small.bytes()]).toEqual(['bucket', bytesOf(10, 'newer')])
    const large = found(await warm.get('k300000'))
    expect([large.tier, large.meta.etag]).toEqual(['bucket', '"300000"'])
    expect((await large.bytes()).equals(bytesOf(300_000, 300_000))).toBe(true)
    await warm.close()
  })

  const faults = CALLS.flatMap((call) => FAULTS.map((fault) => [call, fault] as const))
  test.each(faults)('when each second %s fails %s it is done, answers are right', async (failing, how) => {
    const store = tiers()
    const cache = await createCache({ tiers: [memoryStore({ maxBytes: '1MiB' }), store], pressure: false })
    let calls = 0
    bucket.fault = (call) => {
      if (call !== failing) return undefined
      calls += 1
      return calls % 2 === 0 ? how : undefined
    }
    for (let round = 0; round < 3; round += 1) {
      for (let at = 0; at < 12; at += 1) {
        const key = `k${at}`
        const body = bytesOf(at % 2 === 0 ? 1000 : 150_000, key)
        const answer = found(await cache.fetch(key, () => ({ body })))
        expect((await answer.bytes()).equals(body), `${key} in round ${round}`).toBe(true)
      }
    }
    bucket.fault = undefined
    await cache.close()
    expect(store.stats().pinnedBytes).toBe(0)
  })

  test('alone, one that fails at everything costs hits, and no answer', async () => {
    const store = tiers()
    const rig = await rigOver(store)
    bucket.fault = () => 'before'
    for (let at = 0; at < 3; at += 1) {
      const answer = found(await rig.cache.fetch('k', () => ({ body: `call ${at}` })))
      expect(await answer.text()).toBe(`call ${at}`)
      await settled(rig)
      expect(answer.stored).toBe('tier-down')
    }
    expect(rig.cache.stats().tiers[0]!.failures).toBeGreaterThan(2)
    bucket.fault = undefined
    expect(await found(await rig.cache.fetch('k', () => ({ body: 'kept' }))).text()).toBe('kept')
    await settled(rig)
    expect(found(await rig.cache.fetch('k', () => ({ body: 'not asked' }))).outcome).toBe('hit')
  })
})
