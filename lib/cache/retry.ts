import { ExponentialBackoff, fullJitterGenerator, type IBackoff } from 'cockatiel'
import { z } from 'zod'
import { limitOption } from '../config/schema.js'
import { parseDuration } from '../config/units.js'

export const retryOptions = z.strictObject({
  /** How often the fetcher is called again after it failed: 1 to 10. */
  attempts: z.int().min(1).max(10),
  /** The longest wait before the first of them; it doubles each time, and of it a random part is waited. Default 100 ms. */
  delay: limitOption.optional(),
  /** The longest wait. Default 10 s. */
  maxDelay: limitOption.optional(),
})

/** Options of `retry`, of a call of `fetch`. */
export type RetryOptions = z.input<typeof retryOptions>

/** How long to wait before each further call of a fetcher, as long as there is one. */
export class Retries {
  readonly #attempts: number
  readonly #delay: number
  readonly #maxDelay: number
  #made = 0
  #wait: IBackoff<unknown> | undefined

  constructor({ attempts, delay, maxDelay }: z.output<typeof retryOptions>) {
    this.#attempts = attempts
    this.#delay = parseDuration(delay) ?? 100
    this.#maxDelay = parseDuration(maxDelay) ?? 10_000
  }

  /** Milliseconds until the next; undefined when there is none. */
  next(): number | undefined {
    if (this.#made === this.#attempts) return undefined
    this.#made += 1
    this.#wait =
      this.#wait === undefined
        ? new ExponentialBackoff({
            // With full jitter the first wait of theirs is for the first attempt as well.
            generator: fullJitterGenerator,
            initialDelay: this.#delay,
            maxDelay: this.#maxDelay,
          }).next()
        : this.#wait.next(undefined)
    return this.#wait.duration
  }
}
