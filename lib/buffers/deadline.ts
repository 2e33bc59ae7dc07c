import type { Clock, Timer } from '../clock.js'
import { abortedBy, TimeoutError } from '../errors.js'
import type { Listening, Signals } from '../resilience/limiter/signals.js'
import type { Move } from './copy-options.js'

/** What ends a copy or tee from outside: its caller's signal, and its timeout. */
export class Deadline implements Listening {
  readonly #signals: Signals
  readonly #signal: AbortSignal | undefined
  readonly #what: string
  readonly #fail: (error: Error) => void
  readonly #timer: Timer | undefined

  /** @param fail called once at most, and not before the constructor returns */
  constructor(
    { signal, timeout }: Move,
    what: 'copy' | 'tee',
    clock: Clock,
    signals: Signals,
    fail: (error: Error) => void,
  ) {
    this.#signals = signals
    this.#signal = signal
    this.#what = what
    this.#fail = fail
    if (signal !== undefined && !signal.aborted) signals.add(signal, this)
    this.#timer =
      timeout === undefined
        ? undefined
        : clock.after(timeout, () =>
            fail(new TimeoutError(`${what}.timeout: it took longer than the ${timeout} ms that it may`)),
          )
  }

  /** Fails at once where the signal was aborted before. */
  check(): void {
    if (this.#signal?.aborted === true) this.onAbort()
  }

  onAbort(): void {
    this.#fail(abortedBy(this.#signal!, `a ${this.#what}`))
  }

  /** It is over. */
  stop(): void {
    this.#timer?.cancel()
    if (this.#signal !== undefined) this.#signals.remove(this.#signal, this)
  }
}
