import type { Clock } from '../../clock.js'
import type { Env } from './env.js'

/** How long what the system said is believed. */
const BELIEVED_MS = 5000

/** What asks the system, and when. */
export interface VolumeSeams {
  readonly env: Pick<Env, 'space'>
  readonly clock: Clock
}

/** What a store says of the file system that its directory is on. */
export interface VolumeStats {
  readonly freeBytes?: number
  readonly roomBytes?: number
}

/**
 * What is free of a file system, for whoever asks for numbers: they are given at once, and a disk may take its time.
 *
 * Invariants: the system is asked in another thread, once at a time, and not again within 5 s; what it did not answer is not known.
 */
export class VolumeWatch {
  readonly #env: Pick<Env, 'space'>
  readonly #clock: Clock
  readonly #path: string
  readonly #minFree: () => number
  #known: VolumeStats = {}
  #askedAt = Number.NEGATIVE_INFINITY
  #asking = false

  /** @param minFree that of the store now: a share of the file system below 1, else bytes */
  constructor({ env, clock }: VolumeSeams, path: string, minFree: () => number) {
    this.#env = env
    this.#clock = clock
    this.#path = path
    this.#minFree = minFree
  }

  /** What is known; has the system asked for the next time. */
  stats(): VolumeStats {
    void this.look()
    return this.#known
  }

  /** Has the system asked, if it is time for that; resolves when it has answered, or failed to. Never rejects. */
  async look(): Promise<void> {
    const now = this.#clock.monotonic()
    if (this.#asking || now - this.#askedAt < BELIEVED_MS) return
    this.#asking = true
    this.#askedAt = now
    try {
      const { total, free } = await this.#env.space(this.#path)
      const minFree = this.#minFree()
      const kept = minFree < 1 ? total * minFree : minFree
      this.#known = { freeBytes: free, roomBytes: Math.max(0, Math.floor(free - kept)) }
    } catch {
      // Nobody can be told that it cannot be known, and what was known is so no more.
      this.#known = {}
    }
    this.#asking = false
  }
}
