/*
 * Typed events. A listener that throws harms neither the cache nor the other listeners: it is reported as a
 * warning of the process.
 */

/** Events of a cache and what they carry. */
export interface CacheEvents {
  /** An entry left a tier to make room. */
  evict: { readonly key: string; readonly tier: string; readonly reason: 'size' }
  /** A body lay unread for `timeouts.idle` and was closed. Read it or `close()` it. */
  leak: { readonly key: string }
}

export class Events {
  readonly #listeners = new Map<keyof CacheEvents, Set<(event: never) => void>>()

  on<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): void {
    const there = this.#listeners.get(event)
    if (there === undefined) this.#listeners.set(event, new Set([listener]))
    else there.add(listener)
  }

  off<E extends keyof CacheEvents>(event: E, listener: (event: CacheEvents[E]) => void): void {
    this.#listeners.get(event)?.delete(listener)
  }

  emit<E extends keyof CacheEvents>(event: E, what: CacheEvents[E]): void {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        ;(listener as (event: CacheEvents[E]) => void)(what)
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error), {
          code: 'DREY_LISTENER',
          detail: `thrown by a listener of '${event}'`,
        })
      }
    }
  }
}
