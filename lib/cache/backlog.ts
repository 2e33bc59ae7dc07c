/** What each body may have in memory whatever the others have: 1 MiB. */
const OWN_BYTES = 2 ** 20
/** What all of them may have beyond that, unless one alone may have more: 64 MiB, as much as the pool of a cache. */
const COMMON_BYTES = 64 * 2 ** 20

/**
 * How much of bodies may wait in memory for a tier, or for a slow reader: `maxBufferedBytes` of each, the first
 * MiB for certain, the rest out of what all bodies of a cache have in common, and nothing of that while memory is short.
 *
 * Invariant: `#taken` is the sum of what the shares have, and at most what `#common` was when the last of it was given.
 */
export class Backlog {
  /** Of one body, in bytes. Less than before is for what comes from then on. */
  perBody: number
  #taken = 0
  /** Memory is short: nobody gets more than what is for certain. */
  short = false

  constructor(perBody: number) {
    this.perBody = perBody
  }

  get #own(): number {
    return Math.min(this.perBody, OWN_BYTES)
  }

  get #common(): number {
    return Math.max(this.perBody, COMMON_BYTES) - this.#own
  }

  /** Bytes of bodies beyond what each has for certain. */
  get common(): number {
    return this.#taken
  }

  /** What one body has: nothing yet. */
  share(): Share {
    let mine = 0
    return {
      hold: (bytes, far) => {
        const beyond = Math.max(0, bytes - this.#own)
        if (beyond > mine) {
          if (!far || this.short || bytes > this.perBody) return false
          if (this.#taken + beyond - mine > this.#common) return false
        }
        this.#taken += beyond - mine
        mine = beyond
        return true
      },
    }
  }
}

/** What one body has of a backlog. */
export interface Share {
  /**
   * The body has so many bytes in memory from now on; false, and as it was, when it may not. Fewer than before it may always. Unless `far`
   * nothing waits there for a tier, and what is for certain has to do.
   */
  hold(bytes: number, far: boolean): boolean
}
