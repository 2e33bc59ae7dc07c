import { once } from 'node:events'
import { notFound, notModified } from '../../dist/index.js'
import { ALL_KEYS, groupOf, keysOf, tagOf } from './shared.mjs'
import { makeValue, versionOf } from './values.mjs'

/*
 * One that uses a cache, at random, and looks at all that it is given. Keys are read by everybody, and changed by who owns their group, one change of
 * a group at a time: so of each answer it is known what it may be.
 */

/** What a call may end with while origins, disks and threads fail. */
const EXPECTED = new Set([
  'ERR_DREY_ABORTED',
  'ERR_DREY_ORIGIN',
  'ERR_DREY_TIMEOUT',
  'ERR_DREY_TRUNCATED',
  'ERR_DREY_NO_SPACE',
  'ERR_DREY_TOO_LARGE',
  'ERR_DREY_OVERLOADED',
  'ERR_DREY_BREAKER_OPEN',
  'ERR_DREY_IO',
  'ERR_DREY_CORRUPT',
])

/** Never resolves, and keeps the thread alive meanwhile, as the socket of a real origin does. */
function hanging(signal) {
  return new Promise((_, reject) => {
    const socket = setInterval(() => undefined, 2 ** 30)
    signal.addEventListener('abort', () => {
      clearInterval(socket)
      reject(signal.reason)
    })
  })
}

export class Client {
  #shared
  #random
  #cache
  #space
  #owned
  /** The changes of each group that are under way. */
  #changing
  #configure
  #steps

  constructor({ shared, random, cache, space, owned, changing, configure }) {
    this.#shared = shared
    this.#random = random
    this.#cache = cache
    this.#space = space
    this.#owned = owned
    this.#changing = changing
    this.#configure = configure
    this.#steps = this.#weighted()
  }

  async run() {
    while (!this.#shared.isOver) {
      try {
        await this.#steps[this.#random(this.#steps.length)]()
      } catch (error) {
        if (EXPECTED.has(error.code)) this.#shared.count('calls that failed as they may')
        else {
          this.#shared.count('errors that nobody expects')
          console.error(`${this.#space}:`, error)
        }
      }
      // Others of this thread, and news of other threads, have their turn.
      if (this.#random(4) === 0) await new Promise(setImmediate)
    }
  }

  #weighted() {
    const weights = [
      [40, () => this.#fetch()],
      [15, () => this.#get()],
      [12, () => this.#getSync()],
      [6, () => this.#leave()],
      [4, () => this.#getMany()],
      [10, () => this.#set()],
      [3, () => this.#write()],
      [4, () => this.#delete()],
      [2, () => this.#invalidate()],
      [1, () => this.#configure()],
    ]
    return weights.flatMap(([weight, step]) => Array(weight).fill(step))
  }

  #key() {
    return ALL_KEYS[this.#random(ALL_KEYS.length)]
  }

  #saw(key, floor, bytes) {
    this.#shared.count('reads')
    const version = versionOf(this.#space, key, bytes)
    if (version === undefined) {
      this.#shared.count('wrong bytes')
      console.error(`${this.#space}, ${key}: ${bytes.length} bytes, ${bytes.toString('latin1', 0, 60)}`)
    } else if (version < floor) {
      this.#shared.count('values out of date')
      console.error(`${this.#space}, ${key}: version ${version}, and ${floor} was acknowledged before`)
    }
  }

  async #fetch() {
    const key = this.#key()
    const floor = this.#shared.floorOf(this.#space, key)
    const answer = await this.#ask(key)
    if (answer.status !== 'ok') return
    if (answer.outcome === 'hit') this.#shared.count('hits')
    this.#saw(key, floor, await this.#read(answer))
  }

  #ask(key, options = {}) {
    return this.#cache.fetch(key, (asked) => this.#origin(key, asked), options)
  }

  /** In one shape or another. */
  async #read(answer) {
    if (this.#random(2) === 0) return answer.bytes()
    const pieces = []
    if (this.#random(2) === 0) for await (const piece of answer) pieces.push(Buffer.from(piece))
    else for await (const piece of answer.stream()) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async #get() {
    const key = this.#key()
    const floor = this.#shared.floorOf(this.#space, key)
    const answer = await this.#cache.get(key, { allowStale: this.#random(3) === 0 })
    if (answer?.status === 'ok') this.#saw(key, floor, await this.#read(answer))
  }

  #getSync() {
    const key = this.#key()
    const floor = this.#shared.floorOf(this.#space, key)
    const found = this.#cache.getSync(key)
    if (found !== undefined) this.#saw(key, floor, found.value)
  }

  /** Wants a part of a body, or none of it any more. */
  async #leave() {
    const key = this.#key()
    const gone = new AbortController()
    const answer = await this.#ask(key, { signal: gone.signal })
    if (answer.status !== 'ok') return
    this.#shared.count('bodies left')
    if (this.#random(3) === 0) return void answer.close()
    for await (const _ of answer) {
      if (this.#random(2) === 0) gone.abort()
      break
    }
  }

  async #getMany() {
    const keys = Array.from({ length: 4 }, () => this.#key())
    const floors = keys.map((key) => this.#shared.floorOf(this.#space, key))
    const answers = await this.#cache.getMany(keys)
    for (const [at, answer] of answers.entries()) {
      if (answer?.status === 'ok') this.#saw(keys[at], floors[at], await answer.bytes())
    }
  }

  /** Makes a change of a group that this thread owns, when those before it are over. */
  async #change(make) {
    const group = this.#owned[this.#random(this.#owned.length)]
    if (group === undefined) return
    const change = (this.#changing.get(group) ?? Promise.resolve()).then(async () => {
      const version = this.#shared.next()
      for (const key of await make(group, version)) this.#shared.raise(this.#space, key, version)
    })
    // Whoever comes next does not care how it ended.
    this.#changing.set(
      group,
      change.catch(() => undefined),
    )
    await change
  }

  #oneOf(group) {
    const keys = keysOf(group)
    return keys[this.#random(keys.length)]
  }

  #set() {
    return this.#change(async (group, version) => {
      const key = this.#oneOf(group)
      const value = makeValue(this.#space, key, version, this.#random)
      const body = this.#random(2) === 0 ? value : this.#pieces(value)
      await this.#cache.set(key, body, { tags: [tagOf(group)] })
      this.#shared.count('writes')
      return this.#written(key)
    })
  }

  #write() {
    return this.#change(async (group, version) => {
      const key = this.#oneOf(group)
      const writer = this.#cache.writer(key, { tags: [tagOf(group)] })
      writer.end(makeValue(this.#space, key, version, this.#random))
      await once(writer, 'finish')
      this.#shared.count('writes')
      return this.#written(key)
    })
  }

  /** Threads that share a directory have one order of removals, and not of writes: the last commit wins (D11). */
  #written(key) {
    return this.#space === 'disk' ? [] : [key]
  }

  #delete() {
    return this.#change(async (group) => {
      const key = this.#oneOf(group)
      await this.#cache.delete(key)
      this.#shared.count('removals')
      return [key]
    })
  }

  #invalidate() {
    return this.#change(async (group) => {
      const soft = this.#random(3) === 0
      await this.#cache.invalidateTags([tagOf(group)], { soft })
      this.#shared.count('invalidations')
      // What is stale may answer.
      return soft ? [] : keysOf(group)
    })
  }

  async *#pieces(value) {
    for (let at = 0; at < value.length; at += 60_000) {
      yield value.subarray(at, at + 60_000)
      if (this.#random(3) === 0) await new Promise(setImmediate)
    }
  }

  /** An origin that works for the most part. */
  async #origin(key, { etag, signal }) {
    this.#shared.count('origin calls')
    const chance = this.#random(100)
    if (chance < 5) {
      this.#shared.count('origin failures')
      throw new Error('the origin fails')
    }
    if (chance < 7) {
      this.#shared.count('origin hangs')
      await hanging(signal)
    }
    const tags = [tagOf(groupOf(key))]
    if (chance < 10) return notFound({ tags })
    if (chance < 30 && etag !== undefined) return notModified()
    const version = this.#shared.next()
    const value = makeValue(this.#space, key, version, this.#random)
    const answer = { etag: `"${version}"`, tags, ...(chance < 70 ? { size: value.length } : {}) }
    if (chance < 90) return { ...answer, body: this.#pieces(value) }
    this.#shared.count('bodies cut short')
    // An end before what was declared is none; where nothing was, only an error tells.
    return { ...answer, size: value.length, body: this.#cut(value, this.#random(2) === 0) }
  }

  async *#cut(value, isQuiet) {
    yield value.subarray(0, this.#random(value.length))
    if (!isQuiet) throw new Error('the origin breaks off')
  }
}
