import type { Scheduler } from 'fast-check'
import { isNotStored } from '../../../../lib/cache/answer.js'
import {
  type Answer,
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

const tagOf = (key: string): string => `of ${key}`

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
  /** Whose origin sends it. */
  readonly by: Thread
  sent: number
  over: boolean
  signal: AbortSignal | undefined
}

interface Asking {
  readonly key: string
  readonly by: Thread
  readonly start: number
  readonly signal: AbortSignal
}

interface Caller {
  readonly controller: AbortController
}

/** A cache, in a thread that may die. */
interface Thread {
  readonly rig: Rig
  /** Calls that have not come to an end. */
  open: number
  dead: boolean
  closing: boolean
}

/** Errors that a caller may get: from an origin that is down or breaks off, its own signal, a store that is all in use. */
const EXPECTED = new Set(['ERR_DREY_ORIGIN', 'ERR_DREY_TRUNCATED', 'ERR_DREY_ABORTED', 'ERR_DREY_NO_SPACE'])

/** Whether a store was full, or down: what is not kept is not shared. */
function hasTurnedAway({ cache }: Rig): boolean {
  return cache.stats().tiers.some(({ refusals, failures }) => refusals > 0 || failures > 0)
}

/** `timeouts.shutdown` of the caches. */
export const SHUTDOWN = 10_000

/** Keys for values that are for one caller alone: there, origins are called at will. */
export const PRIVATE_KEY = 'p'

/**
 * Caches that share their tier, or one alone, all that is under way in them, and what was found to be wrong. Steps are taken by commands; everything that
 * takes time waits for the scheduler.
 */
export class World {
  readonly history = new History()
  readonly violations: string[] = []
  readonly sendings: Sending[] = []
  readonly writing: Version[] = []
  readonly callers: Caller[] = []
  readonly #injected: string | undefined
  readonly #threads: Thread[] = []
  readonly #scheduler: Scheduler
  readonly #unread: Found[] = []
  /** Calls of the origin that were not answered yet. */
  readonly #asking = new Set<Asking>()
  /** When a tag was invalidated last. */
  #invalidated = 0

  /** @param injected begins the message of a failure that the test makes itself, which a change may end with */
  constructor(made: readonly Rig[], scheduler: Scheduler, injected?: string) {
    this.#injected = injected
    for (const rig of made) this.join(rig)
    this.#scheduler = scheduler
  }

  /** Threads whose cache can be called. */
  get live(): Thread[] {
    return this.#threads.filter(({ dead, closing }) => !dead && !closing)
  }

  join(rig: Rig): void {
    this.#threads.push({ rig, open: 0, dead: false, closing: false })
  }

  /** The `at`th thread ends as `end` makes it, without a word. */
  die(at: number, end: (rig: Rig) => void): void {
    const thread = this.#thread(at)
    thread.dead = true
    end(thread.rig)
  }

  close(at: number): void {
    const thread = this.#thread(at)
    thread.closing = true
    this.#follow(thread, () => thread.rig.cache.close())
  }

  fetch(key: string, plan: Plan, way: Way, at = 0): void {
    const thread = this.#thread(at)
    const { cache } = thread.rig
    const caller = { controller: new AbortController() }
    this.callers.push(caller)
    const { signal } = caller.controller
    const asked = this.history.tick
    let own: Version | undefined
    const fetcher = async (context: FetcherContext): Promise<FetchResult> => {
      const result = await this.#ask(thread, context, key, plan)
      own = result.version
      return result.result
    }
    this.#follow(thread, async () => {
      const answer = await cache.fetch(key, fetcher, { signal })
      await this.#consume(thread, key, asked, answer, way)
      if (answer.status === 'ok' && answer.outcome === 'miss' && own !== undefined) {
        await this.#untilKept(answer, own)
      }
    })
  }

  refresh(key: string, plan: Plan, at = 0): void {
    const thread = this.#thread(at)
    thread.rig.cache.refresh(key, async (context) => (await this.#ask(thread, context, key, plan)).result)
  }

  /** All that `key` has, and is being given, has a tag of its own: taking that away is a delete. */
  invalidate(key: string, at = 0): void {
    const thread = this.#thread(at)
    const done = this.history.deleting(key)
    this.#invalidated = this.history.tick
    this.#follow(thread, async () => {
      await thread.rig.cache.invalidateTags([tagOf(key), 'of nothing'])
      done()
    })
  }

  get(key: string, way: Way, at = 0): void {
    const thread = this.#thread(at)
    const { cache, store } = thread.rig
    const asked = this.history.tick
    this.#follow(thread, async () => {
      const answer = await cache.get(key)
      if (answer !== undefined) await this.#consume(thread, key, asked, answer, way)
    })
    if (store.name !== 'distant') this.#check(thread, key, asked, cache.getSync(key)?.value)
  }

  set(key: string, size: number, ttl: number, at = 0): void {
    const thread = this.#thread(at)
    const version = this.history.begin('write', key, size)
    this.writing.push(version)
    this.#follow(thread, async () => {
      try {
        await thread.rig.cache.set(key, version.bytes, { ttl, etag: 'e', tags: [tagOf(key)] })
        this.#written(version)
      } catch (error) {
        this.#forget(version)
        this.#assertInjected(error as Error)
      }
    })
  }

  setStream(key: string, size: number, kind: number, at = 0): void {
    const thread = this.#thread(at)
    const version = this.history.begin('write', key, size)
    const origin = pour(BODY_KINDS[kind % BODY_KINDS.length]!)
    this.writing.push(version)
    this.#send({ key, version, origin, shared: false, by: thread })
    this.#follow(thread, async () => {
      try {
        await thread.rig.cache.set(key, origin.body, { etag: 'e', tags: [tagOf(key)] })
        this.#written(version)
      } catch (error) {
        this.#forget(version)
        if (!version.cut && !thread.closing) this.#assertInjected(error as Error)
      }
    })
  }

  delete(key: string, at = 0): void {
    const thread = this.#thread(at)
    const done = this.history.deleting(key)
    this.#follow(thread, async () => {
      await thread.rig.cache.delete(key).catch((error) => this.#assertInjected(error))
      // Also when a tier did not confirm it: it is fenced there.
      done()
    })
  }

  clear(at = 0): void {
    const thread = this.#thread(at)
    const done = this.history.deleting(undefined)
    this.#follow(thread, async () => {
      await thread.rig.cache.clear().catch((error) => this.#assertInjected(error))
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
    for (const clock of new Set(this.#threads.map(({ rig }) => rig.clock))) clock.advance(ms)
  }

  /** Lets up to `count` of what waits for the scheduler go on. */
  async run(count: number): Promise<void> {
    for (let i = 0; i < count && this.#scheduler.count() > 0; i += 1) await this.#scheduler.waitOne()
    await turns(1)
  }

  /** Ends all that is under way; what does not come to an end then never would. */
  async finish(): Promise<void> {
    for (let idle = 0; idle < 30 && this.#open > 0; ) {
      if (idle === 10 && this.#threads.some(({ closing }) => closing)) this.advance(SHUTDOWN)
      for (const body of this.#unread.splice(0)) body.close()
      while (this.sendings.length > 0) this.send(0, 'rest')
      const waiting = this.#scheduler.count()
      await this.run(waiting)
      idle = waiting === 0 ? idle + 1 : 0
    }
    if (this.#open > 0) this.violations.push(`${this.#open} calls never came to an end`)
  }

  get #open(): number {
    let open = 0
    for (const thread of this.#threads) if (!thread.dead) open += thread.open
    return open
  }

  #thread(at: number): Thread {
    const { live } = this
    return live[at % live.length]!
  }

  async #ask(by: Thread, context: FetcherContext, key: string, plan: Plan) {
    this.#assertOnly(key)
    const asking = { key, by, start: this.history.tick, signal: context.signal }
    this.#asking.add(asking)
    const version = this.history.begin('fill', key, plan.size)
    await this.#scheduler.schedule(Promise.resolve(), `origin of ${key}`)
    this.#asking.delete(asking)
    if (plan.answer === 'throw') throw new Error('down')
    if (plan.answer === 'confirm' && context.meta !== undefined) {
      return { version: undefined, result: notModified({ ttl: plan.ttl }) }
    }
    if (plan.answer === 'not-found')
      return { version: undefined, result: notFound({ ttl: plan.ttl, tags: [tagOf(key)] }) }
    const origin = pour(BODY_KINDS[plan.kind % BODY_KINDS.length]!)
    if (!context.signal.aborted) {
      this.#send({ key, version, origin, shared: true, by }, context.signal)
    }
    const result: FetchResult = {
      body: origin.body,
      ttl: plan.ttl,
      etag: 'e',
      tags: ['shared', tagOf(key)],
      ...(plan.declared ? { size: version.bytes.length } : {}),
      ...(key === PRIVATE_KEY && plan.alone ? { store: false } : {}),
    }
    return { version, result }
  }

  /** I6: no other call of the origin of `key` may be under way that this one could have joined. */
  #assertOnly(key: string): void {
    // What found no room in the store passes through, and cannot be joined.
    if (key === PRIVATE_KEY || this.live.some(({ rig }) => hasTurnedAway(rig))) return
    const starts: number[] = []
    for (const asking of this.#asking) {
      if (asking.key === key && !asking.signal.aborted && !asking.by.dead) starts.push(asking.start)
    }
    for (const { key: other, version, shared, by } of this.sendings) {
      if (other === key && shared && !by.dead) starts.push(version.start)
    }
    for (const start of starts) {
      // Nobody knew which tags it would have: who asked after one was invalidated did not join it, and began another in its place.
      if (start < this.#invalidated) continue
      if (!this.history.changedSince(start, key, this.writing)) {
        this.violations.push(`two calls of the origin of ${key}, from ${start} and from ${this.history.tick}`)
      }
    }
  }

  #send(what: Pick<Sending, 'key' | 'version' | 'origin' | 'shared' | 'by'>, signal?: AbortSignal): void {
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

  async #consume(thread: Thread, key: string, asked: number, answer: Answer, way: Way): Promise<void> {
    if (answer.status !== 'ok') return
    if (answer.outcome === 'hit' && answer.meta.freshUntil <= thread.rig.clock.now()) {
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
        this.#check(thread, key, asked, bytes, { id, start: 0 })
        return
      }
      default: {
        const { bytes, error } = await read(answer, way)
        if (error !== undefined) throw error
        this.#check(thread, key, asked, bytes)
      }
    }
  }

  #check(
    { dead }: Thread,
    key: string,
    asked: number,
    bytes: Buffer | undefined,
    part?: { id: number; start: number },
  ): void {
    // What a thread reads after its end nobody sees.
    if (dead) return
    const wrong = bytes && this.history.wrong(key, asked, bytes, part)
    if (wrong !== undefined) this.violations.push(wrong)
  }

  /** Notes when the value of a fill is stored, as soon as its answer says so. */
  async #untilKept(answer: Found, version: Version): Promise<void> {
    for (let i = 0; i < 20 && answer.stored === undefined; i += 1) await turns(1)
    if (answer.stored !== undefined && !isNotStored(answer.stored)) this.history.stored(version)
  }

  #assertInjected(error: Error & { readonly code?: string }): void {
    // A tier that fails may be left alone, and one that is late is not waited for.
    const isOfTier = error.code === 'ERR_DREY_BREAKER_OPEN' || error.message.includes('timeouts.operation')
    if (this.#injected === undefined || !(isOfTier || error.message.startsWith(this.#injected))) throw error
  }

  #follow(thread: Thread, work: () => Promise<void>): void {
    thread.open += 1
    work()
      .catch((error: Error & { code?: string }) => {
        if (thread.dead || (thread.closing && error.code === 'ERR_DREY_CLOSED')) return
        if (!EXPECTED.has(error.code ?? '')) this.violations.push(`unexpected: ${error.stack}`)
      })
      .finally(() => {
        thread.open -= 1
      })
  }
}
