import { describe, expect, it } from 'vitest'
import {
  type Draft,
  memoryStore,
  notFound,
  notModified,
  type Store,
  type StoredEntry,
} from '../../../lib/index.js'
import { patterned, pieces, pour } from '../../helpers/bodies.js'
import { type DistantCall, DistantStore } from '../../helpers/distant-store.js'
import { turns } from '../../helpers/gate.js'
import { read } from '../../helpers/reading.js'
import { distantRig, found, noOrigin, rigOver, settled } from '../../helpers/rig.js'

/** I3: a store that fails costs a hit, not an answer. */
const value = patterned(200_000)
const CALLS: DistantCall[] = ['find', 'draft', 'write', 'commit', 'revise']

describe('a far store that rejects at', () => {
  it.each(CALLS)('%s: fetches are answered all the same, and the next one is kept', async (call) => {
    const made = await distantRig({ freshness: { ttl: 0 } })
    const { cache, store } = made
    await cache.set('old', 'old value', { etag: '"1"' })
    store.fail(call)
    const bodies = await Promise.all([
      cache.fetch('a', () => ({ body: value })),
      cache.fetch('b', () => ({ body: pieces(value, 9_999) })),
      cache.fetch('old', ({ meta }) => (meta === undefined ? { body: 'asked anew' } : notModified())),
    ])
    expect(value.equals(await found(bodies[0]).bytes())).toBe(true)
    expect(value.equals(await found(bodies[1]).bytes())).toBe(true)
    expect(await found(bodies[2]).text()).toMatch(/^(old value|asked anew)$/)
    expect((await cache.fetch('c', () => notFound())).status).toBe('not-found')
    await settled(made)
    expect(cache.stats().tiers[0]!.failures).toBeGreaterThan(0)
    if (call === 'draft' || call === 'write' || call === 'commit') {
      expect([await cache.stat('a'), await cache.stat('b')]).toEqual([undefined, undefined])
      expect(cache.stats().notStored['tier-down']).toBeGreaterThanOrEqual(2)
    }
    store.mend(call)
    await cache.fetch('a', () => ({ body: value, ttl: '1d' }), { ifNoneMatch: '*' })
    await settled(made)
    expect(value.equals(await found(await cache.fetch('a', noOrigin)).bytes())).toBe(true)
  })

  it('read: the body breaks off with a code, and is never ended', async () => {
    const { cache, store } = await distantRig()
    await cache.set('k', value)
    await cache.set('small', 'small')
    store.fail('read')
    for (const key of ['k', 'small']) {
      for (const shape of ['bytes', 'stream', 'web', 'writable', 'response'] as const) {
        const { error } = await read(found(await cache.get(key)), shape)
        expect(error, `${key} ${shape}`).toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
      }
    }
    expect(cache.stats().openBodies).toBe(0)
  })

  it.each(['draft', 'write', 'commit'] as const)(
    '%s: a write fails, and leaves the old value',
    async (call) => {
      const { cache, store } = await distantRig()
      await cache.set('k', 'old')
      store.fail(call)
      await expect(cache.set('k', 'new')).rejects.toThrow(`injected: ${call}`)
      await expect(cache.set('k', pieces(value, 50_000))).rejects.toThrow(`injected: ${call}`)
      const writer = cache.writer('k')
      const failed = new Promise<Error>((resolve) => writer.on('error', resolve))
      writer.end('new')
      expect((await failed).message).toBe(`injected: ${call}`)
      expect(await found(await cache.get('k')).text()).toBe('old')
      expect(cache.stats().tiers[0]!.failures).toBe(3)
    },
  )

  it.each(['delete', 'clear'] as const)(
    '%s: the caller learns of it, and later changes go on',
    async (call) => {
      const { cache, store } = await distantRig()
      await cache.set('k', 'old')
      store.fail(call)
      await expect(call === 'delete' ? cache.delete('k') : cache.clear()).rejects.toThrow(`injected: ${call}`)
      await cache.set('k', 'new')
      expect(await found(await cache.get('k')).text()).toBe('new')
    },
  )

  it('open: no cache is made', async () => {
    const store = new DistantStore()
    store.fail('open')
    await expect(rigOver(store)).rejects.toThrow('injected: open')
  })

  it('entries: the scan fails, and the cache does not', async () => {
    const { cache, store } = await distantRig()
    await cache.set('k', 'v')
    store.fail('entries')
    await expect(cache.entries()[Symbol.asyncIterator]().next()).rejects.toThrow('injected: entries')
    expect(await cache.has('k')).toBe(true)
  })
})

describe('a far store that hangs', () => {
  it.each(['draft', 'write', 'commit'] as const)('at %s slows no reader', async (call) => {
    const made = await distantRig()
    const held = made.store.hold(call)
    const large = patterned(4_000_000)
    const readings = await Promise.all([
      made.cache.fetch('k', () => ({ body: pieces(large, 60_000) })),
      made.cache.fetch('k', noOrigin),
    ])
    for (const body of await Promise.all(readings.map((answer) => found(answer).bytes()))) {
      expect(large.equals(body)).toBe(true)
    }
    held.open()
    await settled(made)
  })
})

describe('a far store that is slow', () => {
  it('has all it needs to keep up while readers are slower', async () => {
    const made = await distantRig()
    const large = patterned(4_000_000)
    const body = found(await made.cache.fetch('k', () => ({ body: pieces(large, 60_000) })))
    let read = 0
    for await (const piece of body) {
      read += piece.length
      await turns(4)
    }
    expect(read).toBe(large.length)
    await settled(made)
    expect(body.stored).toBe('distant')
    expect(large.equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })

  it('holds the origin up when nobody reads, instead of giving the value up', async () => {
    const made = await distantRig()
    const large = patterned(4_000_000)
    const answer = await made.cache.fetch('k', () => ({ body: pieces(large, 60_000), etag: '"1"' }), {
      ifNoneMatch: '"1"',
    })
    expect(answer.status).toBe('not-modified')
    await settled(made)
    expect(large.equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })
})

/** A memory store whose calls, and those of what it hands out, throw on demand. */
function throwing(): { readonly store: Store; readonly at: Set<string> } {
  const inner = memoryStore({ maxBytes: 16 * 2 ** 20, maxItemBytes: 4 * 2 ** 20 })
  const at = new Set<string>()
  const guard = (call: string): void => {
    if (at.has(call)) throw new Error(`thrown: ${call}`)
  }
  const entryOf = (entry: StoredEntry): StoredEntry => ({
    metadata: entry.metadata,
    read: (target, position) => {
      guard('read')
      return entry.read(target, position)
    },
    view: (position) => {
      guard('view')
      return entry.view!(position)
    },
    release: () => {
      entry.release()
      guard('release')
    },
  })
  const draftOf = (draft: Draft): Draft => ({
    write: (chunk) => {
      guard('write')
      return draft.write(chunk)
    },
    commit: (metadata) => {
      guard('commit')
      return draft.commit(metadata)
    },
    abort: () => {
      draft.abort()
      guard('abort')
    },
    growing: {
      read: (target, position) => draft.growing!.read(target, position),
      view: (position) => draft.growing!.view(position),
      hold: () => {
        guard('hold')
        const letGo = draft.growing!.hold()
        return () => {
          letGo()
          guard('letGo')
        }
      },
    },
  })
  const store: Store = {
    name: inner.name,
    maxItemBytes: inner.maxItemBytes,
    open: (context) => inner.open(context),
    find: (key, peek) => {
      guard('find')
      const entry = inner.find(key, peek) as StoredEntry | undefined
      return entry && entryOf(entry)
    },
    draft: (key, size) => {
      guard('draft')
      const draft = inner.draft(key, size) as Draft | undefined
      return draft && draftOf(draft)
    },
    revise: () => {
      guard('revise')
      return false
    },
    delete: (key) => {
      guard('delete')
      return inner.delete(key)
    },
    clear: () => {
      guard('clear')
      return inner.clear()
    },
    entries: () => inner.entries(),
    stats: () => inner.stats(),
    close: () => inner.close(),
  }
  return { store, at }
}

describe('a near store that throws at', () => {
  it.each(['find', 'draft', 'hold', 'write', 'commit', 'abort', 'letGo', 'release', 'revise'])(
    '%s: fetches are answered all the same',
    async (call) => {
      const { store, at } = throwing()
      const made = await rigOver(store, { freshness: { ttl: 0, staleIfError: '1d' } })
      await made.cache.set('old', value, { etag: '"1"' })
      at.add(call)
      const answers = await Promise.all([
        made.cache.fetch('a', () => ({ body: value })),
        made.cache.fetch('b', () => ({ body: pieces(value, 9_999) })),
        made.cache.fetch('b', noOrigin),
        made.cache.fetch('old', ({ meta }) => (meta === undefined ? { body: value } : notModified())),
      ])
      for (const answer of answers) expect(value.equals(await found(answer).bytes())).toBe(true)
      const left = found(await made.cache.fetch('c', () => ({ body: pieces(value, 9_999) })))
      left.close()
      expect((await made.cache.fetch('n', () => notFound())).status).toBe('not-found')
      await settled(made)
      if (call !== 'abort') expect(made.cache.stats().tiers[0]!.failures).toBeGreaterThan(0)
    },
  )

  it('write, in the middle of a body: its readers read on, from the store and past it', async () => {
    const { store, at } = throwing()
    const made = await rigOver(store)
    const origin = pour('iterable')
    const body = found(await made.cache.fetch('k', () => ({ body: origin.body })))
    origin.push(value.subarray(0, 120_000))
    await turns()
    at.add('write')
    const reading = body.bytes()
    origin.push(value.subarray(120_000))
    origin.end()
    expect(value.equals(await reading)).toBe(true)
    expect(body.stored).toBe('tier-down')
  })

  it.each(['read', 'view'])('%s: the body breaks off with a code', async (call) => {
    const { store, at } = throwing()
    const { cache } = await rigOver(store)
    await cache.set('k', value)
    await cache.set('small', 'small')
    at.add(call)
    for (const key of ['k', 'small']) {
      const body = found(await cache.get(key))
      const { error } = await read(body, call === 'read' ? 'bytes' : 'response')
      expect(error).toMatchObject({ code: 'ERR_DREY_TRUNCATED', cause: new Error(`thrown: ${call}`) })
    }
    if (call === 'read') expect(cache.getSync('small')).toBeUndefined()
    expect(cache.stats().openBodies).toBe(0)
  })
})

it('a store that has fewer bytes than it said breaks the body off, and shows no memory', async () => {
  const inner = memoryStore({ maxBytes: 2 ** 20, maxItemBytes: 2 ** 19 })
  const find = inner.find.bind(inner)
  inner.find = (key, peek) => {
    const entry = find(key, peek) as StoredEntry | undefined
    if (entry === undefined) return undefined
    const metadata = { ...entry.metadata, size: entry.metadata.size + 10 }
    return {
      metadata,
      read: (target, position) => entry.read(target, position),
      view: (position) => entry.view!(position),
      release: () => entry.release(),
    }
  }
  const { cache } = await rigOver(inner)
  for (const size of [100, 100_000]) {
    await cache.set('k', patterned(size))
    for (const shape of ['bytes', 'iterate', 'stream', 'web', 'writable', 'response', 'socket'] as const) {
      const { bytes, error } = await read(found(await cache.get('k')), shape)
      expect(error, shape).toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
      expect(patterned(size).subarray(0, bytes.length).equals(bytes)).toBe(true)
    }
    expect(cache.getSync('k')).toBeUndefined()
  }
})
