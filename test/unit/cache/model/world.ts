import type { Scheduler } from 'fast-check'
import {
  type Answer,
  type Cache,
  type FetcherContext,
  type FetchResult,
  type Found,
  notFound,
  notModified,
} from '../../../../lib/index.js'
import { BODY_KINDS, type Pour, pour } from '../../../helpers/bodies.js'
import { turns } from '../../../helpers/gate.js'
import { read } from '../../../helpers/reading.js'
import type { Rig } from '../../../helpers/rig.js'
import { History, type Version } from './history.js'

/** What an origin does when it is called. */
export interface Plan {
  readonly answer: 'body' | 'not-found' | 'confirm' | 'throw'
  readonly size: number
  readonly kind: number
  readonly declared: boolean
  readonly ttl: number
  /** For its leader alone. */
  readonly alone: boolean
}

/** What a caller does with the body that it gets. */
export const WAYS = ['bytes', 'stream', 'web', 'writable', 'part', 'leave', 'close', 'unread'] as const
export type Way = (typeof WAYS)[number]

/** A body on its way, from an origin or to `set`. */
interface Sending {
  readonly key: string
  readonly version: Version
  readonly origin: Pour
  readonly shared: boolean
  sent: number
  over: boolean
  signal: AbortSignal | undefined
}

interface Asking {
  readonly key: string
  readonly start: number
  readonly signal: AbortSignal
}

interface Caller {
  readonly controller: AbortController
}

/** Errors that a caller may get: from an origin that is down or breaks off, its own signal, a store that is all in use. */
const EXPECTED = new Set(['ERR_DREY_ORIGIN', 'ERR_DREY_TRUNCATED', 'ERR_DREY_ABORTED', 'ERR_DREY_NO_SPACE'])

/** Keys for values that are for one caller alone: there, origins are called at will. */
export const PRIVATE_KEY = 'p'

/**
 * A cache, all that is under way in it, and what was found to be wrong. Steps are taken by commands; everything that
 * takes time waits for the scheduler.
 */
export class World {
  readonly cache: Cache
  readonly history = new History()
  readonly violations: string[] = []
  readonly sendings: Sending[] = []
  readonly writing: Version[] = []
  readonly callers: Caller[] = []
  readonly #made: Rig
  readonly #scheduler: Scheduler
  readonly #unread: Found[] = []
  /** Calls of the origin that were not answered yet. */
  readonly #asking = new Set<Asking>()
  #open = 0

  constructor(made: Rig, scheduler: Scheduler) {
    this.cache = made.cache
    this.#made = made
    this.#scheduler = scheduler
  }

  fetch(key: string, plan: Plan, way: Way): void {
    const caller = { controller: new AbortController() }
    this.callers.push(caller)
    const { signal } = caller.controller
    const asked = this.history.tick
    let own: Version | undefined
    const fetcher = async (context: FetcherContext): Promise<FetchResult> => {
      const result = await this.#ask(context, key, plan)
      own = result.version
      return result.result
    }
    this.#follow(async () => {
      const answer = await this.cache.fetch(key, fetcher, { signal })
      await this.#consume(key, asked, answer, way)
      if (answer.status === 'ok' && answer.outcome === 'miss' && own !== undefined) {
        await this.#untilKept(answer, own)
      }
    })
  }

  get(key: string, way: Way): void {
    const asked = this.history.tick
    this.#follow(async () => {
      const answer = await this.cache.get(key)
      if (answer !== undefined) await this.#consume(key, asked, answer, way)
    })
    if (this.#made.store.name === 'memory') this.#check(key, asked, this.cache.getSync(key)?.value)
  }

  set(key: string, size: number, ttl: number): void {
    const version = this.history.begin('write', key, size)
    this.writing.push(version)
    this.#follow(async () => {
      await this.cache.set(key, version.bytes, { ttl, etag: 'e' })
      this.#written(version)
    })
  }

  setStream(key: string, size: number, kind: number): void {
    const version = this.history.begin('write', key, size)
    const origin = pour(BODY_KINDS[kind % BODY_KINDS.length]!)
    this.writing.push(version)
    this.#send({ key, version, origin, shared: false })
    this.#follow(async () => {
      try {
        await this.cache.set(key, origin.body, { etag: 'e' })
        this.#written(version)
      } catch (error) {
        this.#forget(version)
        if (!version.cut) throw error
      }
    })
  }

  delete(key: string): void {
    const done = this.history.deleting(key)
    this.#follow(async () => {
      await this.cache.delete(key)
      done()
    })
  }

  clear(): void {
    const done = this.history.deleting(undefined)
    this.#follow(async () => {
      await this.cache.clear()
      done()
    })
  }

  /** Sends the next piece of the `n`th body, its end once all was sent, or breaks it off. */
  send(n: number, how: 'piece' | 'rest' | 'cut'): void {
    const sending = this.sendings[n % this.sendings.length]!
    const { version, origin } = sending
    if (how === 'cut') {
      version.cut = true
      origin.fail(new Error('cut'))
      return this.#sent(sending)
    }
    const { bytes } = version
    const end = how === 'rest' ? bytes.length : Math.min(bytes.length, sending.sent + 40_000)
    if (end > sending.sent) origin.push(bytes.subarray(sending.sent, end))
    sending.sent = end
    if (end < bytes.length) return
    origin.end()
    this.#sent(sending)
  }

  abort(n: number): void {
    const [caller] = this.callers.splice(n % this.callers.length, 1)
    caller!.controller.abort()
  }

  advance(ms: number): void {
    this.#made.clock.advance(ms)
  }

  /** Lets up to `count` of what waits for the scheduler go on. */
  async run(count: number): Promise<void> {
    for (let i = 0; i < count && this.#scheduler.count() > 0; i += 1) await this.#scheduler.waitOne()
    await turns(1)
  }

  /** Ends all that is under way; what does not come to an end then never would. */
  async finish(): Promise<void> {
    for (let idle = 0; idle < 30 && this.#open > 0; ) {
      for (const body of this.#unread.splice(0)) body.close()
      while (this.sendings.length > 0) this.send(0, 'rest')
      const waiting = this.#scheduler.count()
      await this.run(waiting)
      idle = waiting === 0 ? idle + 1 : 0
    }
    if (this.#open > 0) this.violations.push(`${this.#open} calls never came to an end`)
  }

  async #ask(context: FetcherContext, key: string, plan: Plan) {
    this.#assertOnly(key)
    const asking = { key, start: this.history.tick, signal: context.signal }
    this.#asking.add(asking)
    const version = this.history.begin('fill', key, plan.size)
    await this.#scheduler.schedule(Promise.resolve(), `origin of ${key}`)
    this.#asking.delete(asking)
    if (plan.answer === 'throw') throw new Error('down')
    if (plan.answer === 'confirm' && context.meta !== undefined) {
      return { version: undefined, result: notModified({ ttl: plan.ttl }) }
    }
    if (plan.answer === 'not-found') return { version: undefined, result: notFound({ ttl: plan.ttl }) }
    const origin = pour(BODY_KINDS[plan.kind % BODY_KINDS.length]!)
    if (!context.signal.aborted) {
      this.#send({ key, version, origin, shared: true }, context.signal)
    }
    const result: FetchResult = {
      body: origin.body,
      ttl: plan.ttl,
      etag: 'e',
      ...(plan.declared ? { size: version.bytes.length } : {}),
      ...(key === PRIVATE_KEY && plan.alone ? { store: false } : {}),
    }
    return { version, result }
  }

  /** I6: no other call of the origin of `key` may be under way that this one could have joined. */
  #assertOnly(key: string): void {
    // What found no room in the store passes through, and cannot be joined.
    if (key === PRIVATE_KEY || this.cache.stats().tiers[0]!.refusals > 0) return
    const starts: number[] = []
    for (const asking of this.#asking) {
      if (asking.key === key && !asking.signal.aborted) starts.push(asking.start)
    }
    for (const { key: other, version, shared } of this.sendings) {
      if (other === key && shared) starts.push(version.start)
    }
    for (const start of starts) {
      if (!this.history.changedSince(start, key, this.writing)) {
        this.violations.push(`two calls of the origin of ${key}, from ${start} and from ${this.history.tick}`)
      }
    }
  }

  #send(what: Pick<Sending, 'key' | 'version' | 'origin' | 'shared'>, signal?: AbortSignal): void {
    const sending: Sending = { ...what, sent: 0, over: false, signal }
    this.sendings.push(sending)
    signal?.addEventListener('abort', () => this.#sent(sending))
  }

  #sent(sending: Sending): void {
    if (sending.over) return
    sending.over = true
    this.sendings.splice(this.sendings.indexOf(sending), 1)
  }

  #written(version: Version): void {
    this.#forget(version)
    this.history.stored(version)
  }

  #forget(version: Version): void {
    const at = this.writing.indexOf(version)
    if (at >= 0) this.writing.splice(at, 1)
  }

  async #consume(key: string, asked: number, answer: Answer, way: Way): Promise<void> {
    if (answer.status !== 'ok') return
    if (answer.outcome === 'hit' && answer.meta.freshUntil <= this.#made.clock.now()) {
      this.violations.push(`${key} answered as a hit, and is stale`)
    }
    switch (way) {
      case 'close':
        return answer.close()
      case 'unread':
        return void this.#unread.push(answer)
      case 'leave':
        for await (const piece of answer) if (piece.length > 0) break
        return
      case 'part': {
        const { bytes, error } = await read(answer, 'stream', { start: 0, end: 30_000 })
        if (error !== undefined) throw error
        const id = Number(/^\w+:(\d+):/.exec(bytes.toString('latin1', 0, 40))?.[1])
        this.#check(key, asked, bytes, { id, start: 0 })
        return
      }
      default: {
        const { bytes, error } = await read(answer, way)
        if (error !== undefined) throw error
        this.#check(key, asked, bytes)
      }
    }
  }

  #check(key: string, asked: number, bytes: Buffer | undefined, part?: { id: number; start: number }): void {
    const wrong = bytes && this.history.wrong(key, asked, bytes, part)
    if (wrong !== undefined) this.violations.push(wrong)
  }

  /** Notes when the value of a fill is stored, as soon as its answer says so. */
  async #untilKept(answer: Found, version: Version): Promise<void> {
    for (let i = 0; i < 20 && answer.stored === undefined; i += 1) await turns(1)
    if (answer.stored === this.#made.store.name) this.history.stored(version)
  }

  #follow(work: () => Promise<void>): void {
    this.#open += 1
    work()
      .catch((error: Error & { code?: string }) => {
        if (!EXPECTED.has(error.code ?? '')) this.violations.push(`unexpected: ${error.stack}`)
      })
      .finally(() => {
        this.#open -= 1
      })
  }
}
