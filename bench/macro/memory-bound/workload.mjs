import { connect } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { randomFrom } from '../../shared/random.mjs'
import { stretchOf } from './values.mjs'

/*
 * What is done to one cache: values set whole and piece by piece, fills that reach their end or are broken off from
 * either side, deletes in the middle of them, entries that expire, and reads of all that. It keeps nothing of what it
 * reads; what it must remember of each key lies in arrays that are there, and touched, from the beginning.
 *
 * What can be had at once is compared here. Larger values are sent into sockets, as a server sends them, and compared at
 * the other end: copies of them would be garbage of this process, which the store's bound is not about.
 *
 * Invariant: `versions`, `sizes` and `expiry` say what a key has if it has anything. A miss is always allowed.
 */

const PIECE = 64 * 1024
/** Values that arrive, and values on their way out, at once. */
const AT_ONCE = 8
const NONE = 0
const NEVER = Number.POSITIVE_INFINITY

/**
 * @param {{ cache: object, store: object, maxBytes: number, keys: number, smallest: number, largest: number, port: number }} spec
 *   `port` is where the checker listens
 */
export function createWorkload({ cache, store, maxBytes, keys, smallest, largest, port }) {
  const random = randomFrom(1)
  const below = (count) => Math.floor(random() * count)
  const nameOf = (key) => `/key/${key}`
  const versions = new Uint32Array(keys).fill(NONE)
  const sizes = new Uint32Array(keys).fill(1)
  const expiry = new Float64Array(keys).fill(NEVER)
  /** By key: whether it was deleted since its value began to arrive. */
  const arriving = new Map()
  const running = new Set()
  let sending = 0
  let lastVersion = NONE
  const did = { sets: 0, streams: 0, fills: 0, brokenOff: 0, deletes: 0, hits: 0, misses: 0, refused: 0 }
  const figures = { did, written: 0, read: 0, mostHeld: 0, sent: 0, sentInPart: 0 }

  function assert(holds, what) {
    if (!holds) throw new Error(`memory-bound: ${what}`)
  }

  function newValue(key) {
    lastVersion += 1
    const size = Math.round(smallest * (largest / smallest) ** random())
    return { version: lastVersion, size, bytes: stretchOf(key, lastVersion, size) }
  }

  function remember(key, { version, size }, ttl) {
    versions[key] = version
    sizes[key] = size
    expiry[key] = ttl === undefined ? NEVER : Date.now() + ttl
    figures.written += size
  }

  /** Whether `write` was taken. A store that has all in use may refuse, and keeps what it had. */
  async function taken(write) {
    try {
      await write
      return true
    } catch (error) {
      if (error.code !== 'ERR_DREY_NO_SPACE') throw error
      did.refused += 1
      return false
    }
  }

  async function set(key) {
    const value = newValue(key)
    // Of use for a moment only, some of them.
    const ttl = below(4) === 0 ? 1 + below(200) : undefined
    did.sets += 1
    const set = cache.set(nameOf(key), value.bytes, ttl === undefined ? {} : { ttl })
    if (await taken(set)) remember(key, value, ttl)
  }

  async function* pieces(bytes) {
    for (let at = 0; at < bytes.length; at += PIECE) {
      await turn()
      yield bytes.subarray(at, at + PIECE)
    }
  }

  async function stream(key) {
    const value = newValue(key)
    const mark = { deleted: false }
    arriving.set(key, mark)
    did.streams += 1
    const set = cache.set(nameOf(key), pieces(value.bytes), below(2) === 0 ? {} : { size: value.size })
    const kept = await taken(set)
    arriving.delete(key)
    if (kept && !mark.deleted) remember(key, value)
  }

  /** One call of the origin, read while it arrives. A third come to nothing: the origin breaks off, or the reader leaves. */
  async function fill(key) {
    const value = newValue(key)
    const { size, bytes } = value
    const end = below(6)
    const breakOffAt = end === 0 ? below(size) : NEVER
    const leaveAt = end === 1 ? below(size) : NEVER
    // Not for every fill: Node's AbortControllers are garbage of the kind that only a full collection finds.
    const leaving = end === 1 ? new AbortController() : undefined
    const mark = { deleted: false }
    let asked = false
    async function* body() {
      let at = 0
      for await (const piece of pieces(bytes)) {
        at += piece.length
        if (at > breakOffAt) throw new Error('the origin broke off')
        if (at > leaveAt) leaving?.abort()
        yield piece
      }
    }
    const fetcher = () => {
      asked = true
      return { body: body(), ...(below(2) === 0 ? {} : { size }) }
    }
    arriving.set(key, mark)
    did.fills += 1
    const expected = { version: versions[key], size: sizes[key] }
    let kept = false
    try {
      const found = await cache.fetch(nameOf(key), fetcher, leaving && { signal: leaving.signal })
      await check(found, key, asked ? value : expected)
      kept = found.stored === 'memory'
    } catch (error) {
      if (end > 1) throw error
      did.brokenOff += 1
    } finally {
      arriving.delete(key)
    }
    if (!asked || mark.deleted) return
    if (kept) remember(key, value)
    else versions[key] = NONE
  }

  async function read(key) {
    const askedAt = Date.now()
    const expected = { version: versions[key], size: sizes[key] }
    const until = expiry[key]
    const found = await cache.get(nameOf(key))
    if (found === undefined) {
      did.misses += 1
      return
    }
    assert(askedAt < until, `${nameOf(key)} answers though it has expired`)
    did.hits += 1
    await check(found, key, expected)
  }

  /** Compares all of a value with what it must be. */
  async function check(found, key, { version, size }) {
    assert(version !== NONE, `${nameOf(key)} answers though it has nothing`)
    if (found.size !== undefined) {
      assert(found.size === size, `${nameOf(key)} has ${found.size} bytes; it was given ${size}`)
    }
    if (size > PIECE) {
      await send(found, { key, version, size })
    } else {
      const bytes = await found.bytes()
      assert(bytes.equals(stretchOf(key, version, size)), `${nameOf(key)} has wrong bytes`)
    }
    figures.read += size
  }

  async function send(found, what) {
    const socket = connect(port, '127.0.0.1')
    sending += 1
    socket.write(`${JSON.stringify(what)}\n`)
    try {
      await found.writeTo(socket)
      figures.sent += 1
    } catch (error) {
      figures.sentInPart += 1
      throw error
    } finally {
      sending -= 1
    }
  }

  function remove(key) {
    const mark = arriving.get(key)
    if (mark !== undefined) mark.deleted = true
    versions[key] = NONE
    did.deletes += 1
    return cache.delete(nameOf(key))
  }

  /** Lets `work` go on beside what comes next. */
  function start(work) {
    const done = work.finally(() => running.delete(done))
    running.add(done)
  }

  async function operate() {
    const key = below(keys)
    const what = below(20)
    if (what === 0) await remove(key)
    else if (arriving.has(key)) return
    else if (what < 8) await set(key)
    else if (what < 14) {
      if (arriving.size < AT_ONCE) start(what < 10 ? stream(key) : fill(key))
    } else if (sizes[key] <= PIECE) await read(key)
    else if (sending < AT_ONCE) start(read(key))
    const { bytes } = store.stats()
    assert(bytes <= maxBytes, `the store holds ${bytes} bytes; its bound is ${maxBytes}`)
    figures.mostHeld = Math.max(figures.mostHeld, bytes)
  }

  return {
    figures,
    /** Works until `done()` says so, and until nothing is under way. */
    run: async (done) => {
      for (let operations = 1; !done(); operations += 1) {
        await operate()
        // A server's turns end now and then.
        if (operations % 8 === 0) await turn()
      }
      await Promise.all(running)
    },
  }
}
