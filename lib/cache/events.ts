import type { LostBuffer } from '../buffers/report.js'
import { callListener } from '../listener.js'
import type { AlertEvent } from '../metrics/health/alerts.js'
import type { PressureState } from '../resilience/pressure/index.js'
import type { EvictReason, OptionChange } from '../store/store.js'

/*
 * Typed events. They are told after the work that caused them, so that a listener which calls the cache never
 * meets it half-way; and a listener that fails harms neither the cache nor the others: it is reported as a
 * warning of the process.
 */

/** Events of a cache and what they carry. */
export interface CacheEvents {
  /** An entry left a tier to make room; `'expired'` when it was of no more use. */
  evict: { readonly key: string; readonly tier: string; readonly reason: EvictReason }
  /** What a tier's disk gave is not what was written there: the entry was dropped, and the next fetch replaces it. */
  corrupt: { readonly key: string; readonly tier: string }
  /**
   * A body lay unread for `timeouts.idle` and was closed: read it or `close()` it. Or, without a key, a Buffer of the cache's own pool was
   * lost, of `bytes`, got at the place `got`: looked for with `bufferPool: { detectLeaks: true }`.
   */
  leak: { readonly key: string } | ({ readonly key?: undefined } & LostBuffer)
  /** A tier failed, or did not answer in time, again and again: it is left alone, and its keys are misses. */
  'tier-down': { readonly tier: string }
  /** A tier that was down works again. */
  'tier-up': { readonly tier: string }
  /** An entry could not be fetched anew in the background: it stays what it was. */
  'refresh-error': { readonly key: string; readonly error: unknown }
  /** An origin that `fetch` was given a name of failed too often, and is left alone; or answers again. */
  'origin-down': { readonly origin: string }
  'origin-up': { readonly origin: string }
  /** Options became others, by `configure` or because the configuration file changed: what each was and is, sizes in bytes, durations in milliseconds. */
  config: { readonly changes: readonly OptionChange[] }
  /** The configuration file changed to something that is not applied, for `error` says why. What was in force stays. */
  'config-error': { readonly file: string; readonly error: unknown }
  /** Something went wrong, got worse or better, or is over: docs/reference/health.md. Not with `alerts: false`. */
  alert: AlertEvent
  /** The level of memory pressure changed, and the store was told to use `factor` of its bound. */
  pressure: PressureState
}

type Listener = (event: never) => unknown

/** Invariant: a drain of `#untold` is scheduled exactly while there is something in it. */
export class Events {
  readonly #listeners = new Map<keyof CacheEvents, Set<Listener>>()
  #untold: Array<readonly [keyof CacheEvents, CacheEvents[keyof CacheEvents]]> = []

  on<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): void {
    const there = this.#listeners.get(event)
    if (there === undefined) this.#listeners.set(event, new Set([listener]))
    else there.add(listener)
  }

  off<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): void {
    const there = this.#listeners.get(event)
    if (there?.delete(listener) && there.size === 0) this.#listeners.delete(event)
  }

  /** Whether anybody listens to `event`. */
  has(event: keyof CacheEvents): boolean {
    return this.#listeners.has(event)
  }

  /** Tells `what` to those who listen, in a microtask. Costs nothing where nobody does. */
  emit<E extends keyof CacheEvents>(event: E, what: CacheEvents[E]): void {
    if (!this.#listeners.has(event)) return
    if (this.#untold.length === 0) queueMicrotask(this.#tell)
    this.#untold.push([event, what])
  }

  readonly #tell = (): void => {
    const untold = this.#untold
    this.#untold = []
    for (const [event, what] of untold) {
      for (const listener of this.#listeners.get(event) ?? []) callListener(listener, what as never, event)
    }
  }
}
