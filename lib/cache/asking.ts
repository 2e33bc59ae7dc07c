import type { Clock, Timer } from '../clock.js'
import type { Fetcher, FetcherContext, FetchResult } from './fetcher.js'
import type { OriginCall, Origins } from './origins.js'
import type { Retries } from './retry.js'

/** What is asked, and of whom. */
export interface Question {
  readonly fetcher: Fetcher
  /** The origin's name, if the caller gave one. */
  readonly origin: string | undefined
  /** How often it is asked again, if it is. */
  readonly retries: Retries | undefined
}

/** What asking needs of its cache. */
export interface AskingContext {
  readonly origins: Origins
  readonly clock: Clock
  /** The fetcher is called for the first time. */
  onAsked(): void
  /** It is called again. */
  onRetry(): void
  /** The origin has answered, after so many milliseconds. */
  onAnswered(ms: number): void
}

/**
 * Asks an origin until it answers, or is not to be asked again.
 *
 * Invariants: one call of the fetcher at a time, and none after `stop`; each call of a named origin says once what came of it: that it failed, by
 * `answered` or `failed`, or at last by `stop`; after `stop` no timer is set.
 */
export class Asking {
  readonly #question: Question
  readonly #context: AskingContext
  #call: OriginCall | undefined
  #stopped = false
  /** When the fetcher was called; undefined once it has answered. */
  #since: number | undefined
  #pause: { readonly timer: Timer; readonly end: () => void } | undefined

  constructor(question: Question, context: AskingContext) {
    this.#question = question
    this.#context = context
  }

  /** The answer. Rejects with what the fetcher fails with at last, or `ERR_DREY_BREAKER_OPEN`. The fetcher is called before it returns. */
  async ask(context: FetcherContext): Promise<FetchResult> {
    const { fetcher, origin, retries } = this.#question
    for (let isFirst = true; ; isFirst = false) {
      this.#call = this.#context.origins.enter(origin)
      if (isFirst) this.#context.onAsked()
      else this.#context.onRetry()
      this.#since = this.#context.clock.monotonic()
      try {
        return await fetcher(context)
      } catch (error) {
        this.#call.failed()
        const wait = this.#stopped ? undefined : retries?.next()
        if (wait === undefined) throw error
        await this.#sleep(wait)
        if (this.#stopped) throw error
      }
    }
  }

  /** The origin has answered, and goes on doing so. */
  answered(): void {
    this.#call?.succeeded()
    if (this.#since === undefined) return
    this.#context.onAnswered(this.#context.clock.monotonic() - this.#since)
    this.#since = undefined
  }

  /** What it answered was none, or did not come in time. */
  failed(): void {
    this.#call?.failed()
  }

  /** Nobody waits for it any more. */
  stop(): void {
    this.#stopped = true
    this.#call?.dropped()
    this.#pause?.timer.cancel()
    this.#pause?.end()
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#pause = undefined
        resolve()
      }
      this.#pause = { timer: this.#context.clock.after(ms, end), end }
    })
  }
}
