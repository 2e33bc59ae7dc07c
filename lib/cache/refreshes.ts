import type { Clock } from '../clock.js'
import { AbortedError, ClosedError, OverloadedError } from '../errors.js'
import { createLimiter, type Limiter, type LimiterOwner } from '../resilience/limiter/limiter.js'
import type { FetchOptions } from './cache.js'
import type { Fetcher } from './fetcher.js'

/** How refreshes are paced. */
export interface RefreshConfig {
  readonly strategy: 'pool' | 'all'
  readonly concurrency: number
  readonly queue: number
  /** Whose turns refreshes take where others take them, too; without it they have turns of their own. */
  readonly shared?: SharedTurns | undefined
}

/** A limiter that several caches take turns of, and one of them. */
export interface SharedTurns {
  readonly limiter: Limiter
  readonly owner: LimiterOwner
}

/** What the refreshes of a cache do, and did. */
export interface RefreshStats {
  /** Under way now. */
  readonly running: number
  /** Waiting for their turn. */
  readonly waiting: number
  /** Ended: the entry was fetched anew or confirmed, or another thread was at it. */
  readonly done: number
  /** Ended by an error of the origin, or a timeout: told by `refresh-error`. */
  readonly failed: number
  /** Not begun: too many waited. */
  readonly dropped: number
}

/**
 * Fetches in the background what somebody was given stale, or asked to be fetched anew.
 *
 * Invariants: a key is in `#keys` from `schedule` until its refresh has ended, so that there is one at most; what
 * does not find a place in the line is dropped and counted, and whoever asks for the key next may schedule it again.
 */
export class Refreshes {
  readonly #renew: (key: string, fetcher: Fetcher, options: FetchOptions) => Promise<void>
  readonly #onError: (key: string, error: unknown) => void
  readonly #limiter: Limiter | undefined
  readonly #shared: SharedTurns | undefined
  #queue: number
  /** Ends the waits for turns that others take, too. */
  readonly #ending = new AbortController()
  #waiting = 0
  readonly #keys = new Set<string>()
  #running = 0
  #done = 0
  #failed = 0
  #dropped = 0

  /** `renew` resolves when the key was fetched anew; what it rejects with is told to `onError`. */
  constructor(
    { strategy, concurrency, queue, shared }: RefreshConfig,
    clock: Clock,
    renew: (key: string, fetcher: Fetcher, options: FetchOptions) => Promise<void>,
    onError: (key: string, error: unknown) => void,
  ) {
    this.#renew = renew
    this.#onError = onError
    this.#queue = queue
    if (strategy !== 'pool') return
    this.#shared = shared
    this.#limiter = shared?.limiter ?? createLimiter({ name: 'refresh', concurrency, queue }, clock)
  }

  /** How many at a time and how many may wait, from now on, where that is this cache's to say. */
  configure({ concurrency, queue }: Pick<RefreshConfig, 'concurrency' | 'queue'>): void {
    this.#queue = queue
    if (this.#shared === undefined) this.#limiter?.configure({ concurrency, queue })
  }

  /** Says whether `key` is going to be refreshed by this call: not when it is scheduled already, or too many wait. */
  schedule(key: string, fetcher: Fetcher, options: FetchOptions): boolean {
    if (this.#keys.has(key)) return false
    const stats = this.#limiter?.stats()
    if (stats !== undefined && stats.active >= stats.limit && this.#waiting >= this.#queue) {
      this.#dropped += 1
      return false
    }
    this.#keys.add(key)
    let began = false
    const begin = (): void => {
      if (!began) this.#waiting -= 1
      began = true
    }
    const run = async (): Promise<void> => {
      begin()
      this.#running += 1
      try {
        await this.#renew(key, fetcher, options)
      } finally {
        this.#running -= 1
      }
    }
    this.#waiting += 1
    const ended = this.#inTurn(run).finally(begin)
    ended.then(
      () => {
        this.#keys.delete(key)
        this.#done += 1
      },
      (error) => {
        this.#keys.delete(key)
        this.#count(key, error)
      },
    )
    return true
  }

  stats(): RefreshStats {
    return {
      running: this.#running,
      waiting: this.#waiting,
      done: this.#done,
      failed: this.#failed,
      dropped: this.#dropped,
    }
  }

  /** Begins none from here on. Those that run are the cache's to end. */
  close(): void {
    // What is held is let go when the fills have ended, and nobody waits for that here.
    if (this.#shared === undefined) void this.#limiter?.close()
    else this.#ending.abort()
  }

  #inTurn(run: () => Promise<void>): Promise<void> {
    if (this.#limiter === undefined) return run()
    if (this.#shared === undefined) return this.#limiter.run(run)
    const { limiter, owner } = this.#shared
    const { signal } = this.#ending
    const atOnce = limiter.tryAcquire({ owner })
    if (atOnce !== undefined) return run().finally(() => atOnce.release())
    // Not by `run`: the signal ends the wait, and what has begun is the cache's to end.
    return limiter.acquire({ owner, signal }).then((permit) => run().finally(() => permit.release()))
  }

  #count(key: string, error: unknown): void {
    const ended = this.#ending.signal.aborted && error instanceof AbortedError
    if (ended || error instanceof OverloadedError || error instanceof ClosedError) {
      this.#dropped += 1
      return
    }
    this.#failed += 1
    this.#onError(key, error)
  }
}
