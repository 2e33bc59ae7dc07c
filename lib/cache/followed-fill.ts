import type { Clock, Timer } from '../clock.js'
import { type DreyError, TimeoutError } from '../errors.js'
import { showKey } from '../keys.js'
import type { FlightState, FollowedFlight, Later } from '../store/store.js'
import { decodeNote, errorOf, type Note } from './flight-note.js'
import { FollowedFlow } from './followed-flow.js'
import type { FillAnswer, Joinable } from './joinable.js'
import type { SharedEntry } from './shared-entry.js'
import type { TagTable } from './tags.js'
import type { Tier } from './tier.js'
import { Waiters } from './waiters.js'

/** What a followed fill needs of its cache. */
export interface FollowContext {
  readonly tier: Tier
  readonly clock: Clock
  readonly tags: TagTable
  readonly timeouts: { readonly firstByte: number; readonly fill: number }
  /** It came to its end. */
  onFollowed(fill: FollowedFill): void
}

type Ended = Extract<FlightState, { kind: 'ended' | 'lost' }>

const LOST: FlightState = { kind: 'lost', size: 0 }

/**
 * A fill that another thread leads, for all in this one who wait for its key (I6).
 *
 * Its waiters are told when the flight is over, or when the first byte of a body is there that they can be given: a
 * leader that is lost before that costs them nothing but another claim. A body goes on in a `FollowedFlow`, which
 * late callers join.
 *
 * Invariants: `#late` is set once the waiters were answered; the flight is left once, when it is over, its time is up or
 * nobody in this thread waits or reads; then `onFollowed` is called, no timer is set and nobody waits. Readers of what
 * was held by then read on. The stale entry is released once.
 */
export class FollowedFill implements Joinable {
  readonly key: string
  readonly #flight: FollowedFlight
  readonly #context: FollowContext
  readonly #waiters = new Waiters<FillAnswer>()
  #stale: SharedEntry | undefined
  readonly #began: number
  #flow: FollowedFlow | undefined
  #late: (() => FillAnswer | undefined) | undefined
  #left = false
  #done = false
  #firstByteTimer: Timer | undefined
  #fillTimer: Timer | undefined

  /**
   * The stale entry that the cache has is released here.
   *
   * @param began how many invalidations by tag there had been when it was asked who calls the origin
   */
  constructor(
    key: string,
    flight: FollowedFlight,
    stale: SharedEntry | undefined,
    began: number,
    context: FollowContext,
  ) {
    this.key = key
    this.#began = began
    this.#flight = flight
    this.#context = context
    this.#stale = stale
  }

  get fenced(): boolean {
    return this.#left || this.#context.tier.attempt(() => this.#flight.fenced, true) || this.#isInvalidated()
  }

  /** Begins to follow. Answers reach those who `wait`. */
  start(): void {
    const { timeouts, tier } = this.#context
    this.#firstByteTimer = this.#limit(timeouts.firstByte, 'firstByte')
    this.#fillTimer = this.#limit(timeouts.fill, 'fill')
    // First, so that nothing comes unnoticed between the look and the news.
    tier.attempt(() => this.#flight.onNews(this.#onNews), undefined)
    this.#onNews()
  }

  wait<T>(signal: AbortSignal | undefined, accept: (answer: FillAnswer) => Later<T>): Promise<T> | undefined {
    if (this.#late !== undefined) {
      const answer = this.#late()
      return answer && Promise.resolve(accept(answer))
    }
    return this.#waiters.add(signal, `fetching ${showKey(this.key)}`, accept, this.#onLeft)
  }

  renewStale(entry: SharedEntry | undefined): void {
    if (entry === undefined) return
    if (this.#done || this.#late !== undefined) return entry.letGo()
    this.#stale?.letGo()
    this.#stale = entry
  }

  /** Stops following, because the cache closes: waiters and readers get `error`. */
  end(error: DreyError): void {
    this.#fail(error, false)
  }

  /** Whether a tag was invalidated since it was joined that its value has, or may have. */
  #isInvalidated(): boolean {
    const { tags } = this.#context
    if (this.#began === tags.latest) return false
    const metadata = this.#flow?.metadata
    return metadata === undefined || tags.standing(metadata) !== metadata
  }

  readonly #onNews = (): void => {
    if (this.#done) return
    const state = this.#look()
    switch (state.kind) {
      case 'asking':
        return
      case 'growing': {
        const flow = this.#flow ?? this.#begin(state)
        if (flow === undefined) return this.#answerAll(() => ({ kind: 'again' }))
        return this.#onGrown(flow, state.size)
      }
      case 'committed':
        if (this.#flow === undefined) return this.#answerAll(() => ({ kind: 'stored' }))
        return this.#onWhole(this.#flow, state.size, this.#context.tier.store.name)
      case 'ended':
      case 'lost':
        this.#onEnded(state)
    }
  }

  #look(): FlightState {
    return this.#context.tier.attempt(() => this.#flight.look(), LOST)
  }

  /** The flow of a body that arrives; undefined when it cannot be read. */
  #begin({ note, growing }: Extract<FlightState, { kind: 'growing' }>): FollowedFlow | undefined {
    const { tier } = this.#context
    const head = decodeNote(note)
    if (head?.kind !== 'body') return undefined
    this.#flow = tier.attempt(
      () => new FollowedFlow(this.key, head.metadata, growing, tier, this.#onLeft),
      undefined,
    )
    return this.#flow
  }

  #onGrown(flow: FollowedFlow, size: number): void {
    flow.grown(size)
    if (flow.end > 0) this.#firstByteTimer?.cancel()
    if (flow.available > 0) this.#answerBody(flow)
  }

  #onWhole(flow: FollowedFlow, size: number, stored: string): void {
    flow.finish(size, stored)
    if (flow.failure !== undefined && this.#late === undefined) {
      return this.#answerAll(() => ({ kind: 'again' }))
    }
    this.#answerBody(flow)
    this.#finish()
  }

  #onEnded(state: Ended): void {
    const note: Note = (state.kind === 'ended' ? decodeNote(state.note) : undefined) ?? { kind: 'again' }
    const flow = this.#flow
    // It is not said why a whole body was not kept; short of room it would not have become whole.
    if (note.kind === 'whole' && flow !== undefined) return this.#onWhole(flow, state.size, 'fenced')
    if (note.kind === 'error') return this.#fail(errorOf(note), true, state.size)
    if (this.#late !== undefined) {
      const why =
        note.kind === 'alone' ? 'it outgrew what the store can hold' : 'whoever asked for it is gone'
      flow?.fail(new Error(why), state.size)
      return this.#finish()
    }
    switch (note.kind) {
      case 'not-found': {
        const { metadata } = note
        return this.#answerAll(() => ({ kind: 'not-found', metadata }))
      }
      case 'alone':
        return this.#answerAll(() => ({ kind: 'alone' }))
      default:
        return this.#answerAll(() => ({ kind: 'again' }))
    }
  }

  /** Gives all who wait the body, which is there at least in part. */
  #answerBody(flow: FollowedFlow): void {
    if (this.#late !== undefined) return
    this.#late = () => (flow.joinable ? { kind: 'body', reader: flow.join(), from: flow } : undefined)
    this.#waiters.deliver(() => ({ kind: 'body', reader: flow.join(), from: flow }))
  }

  /** The same answer for all; then it is over. */
  #answerAll(answer: () => FillAnswer): void {
    this.#late = nothingForLate
    // Before anybody is told, because who is told may ask for the key again.
    this.#leave()
    this.#waiters.deliver(answer)
    this.#finish()
  }

  /** No more will come than `size` bytes. Waiters get a stale value where one may answer, else `error`. */
  #fail(error: DreyError, mayBeStale: boolean, size?: number): void {
    if (this.#done) return
    if (this.#late !== undefined) {
      this.#flow?.fail(error, size)
      return this.#finish()
    }
    const stale = this.#stale
    const { clock, tags } = this.#context
    if (mayBeStale && stale !== undefined && tags.answersErrors(stale.metadata, clock.now())) {
      const { metadata } = stale
      return this.#answerAll(() => ({ kind: 'entry', entry: stale.open(), metadata, outcome: 'stale' }))
    }
    this.#late = nothingForLate
    this.#waiters.reject(error)
    this.#finish()
  }

  /** Somebody in this thread left. */
  readonly #onLeft = (): void => {
    if (!this.#done && this.#waiters.size === 0 && (this.#flow?.readers ?? 0) === 0) this.#finish()
  }

  /** Tells the leader that this thread follows no more. */
  #leave(): void {
    if (this.#left) return
    this.#left = true
    const wanted = this.#flow?.wanted === true
    this.#context.tier.attempt(() => this.#flight.leave(wanted), undefined)
  }

  #finish(): void {
    if (this.#done) return
    this.#done = true
    this.#firstByteTimer?.cancel()
    this.#fillTimer?.cancel()
    this.#leave()
    this.#flow?.close()
    this.#stale?.letGo()
    this.#context.onFollowed(this)
  }

  #limit(ms: number, option: 'firstByte' | 'fill'): Timer {
    return this.#context.clock.after(ms, () => {
      const what = option === 'firstByte' ? 'the first byte' : 'the whole value'
      const error = new TimeoutError(
        `${what} of ${showKey(this.key)}, which another thread asks for, did not come within timeouts.${option}, ${ms} ms`,
      )
      this.#fail(error, true)
    })
  }
}

const nothingForLate = (): undefined => undefined
