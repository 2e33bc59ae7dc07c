import type { Reporter } from './report.js'
import type { Slot } from './slot.js'

/** What given-back memory is filled with: no text, no small number, no pointer. */
export const POISON = 0xdb

interface History {
  got: string
  returned: string
  filled: boolean
}

const UNKNOWN = { got: 'unknown place', returned: 'unknown place' }

/**
 * Debug mode: what comes back is filled with 0xdb, and looked at before it is lent again; who got and who returned it is
 * remembered and said when something was wrong.
 */
export class Debug {
  /** Buffers that somebody wrote to after they were given back. */
  poisoned = 0
  readonly #histories = new WeakMap<Slot, History>()
  readonly #report: Reporter
  #pattern = Buffer.alloc(0)

  constructor(report: Reporter) {
    this.#report = report
  }

  lent(slot: Slot, site: string): void {
    const history = this.#of(slot)
    if (history.filled && !slot.whole.equals(this.#patternOf(slot.whole.length))) {
      this.poisoned += 1
      const { got, returned } = history
      this.#report.mistake({ kind: 'poisoned', bytes: slot.whole.length, got, returned })
    }
    history.got = site
    history.filled = false
  }

  returned(slot: Slot, site: string): void {
    const history = this.#of(slot)
    history.returned = site
    history.filled = true
    slot.whole.fill(POISON)
  }

  /** @param slot undefined where it was allocated for one use: nothing is remembered of such */
  again(slot: Slot | undefined, bytes: number, site: string): void {
    const { got, returned } = slot === undefined ? UNKNOWN : this.#of(slot)
    this.#report.mistake({ kind: 'again', bytes, got, returned, site })
  }

  refused(bytes: number, why: string, site: string): void {
    this.#report.mistake({ kind: 'refused', bytes, why, site })
  }

  /** The memory behind a slot was exchanged: what it was filled with is gone. */
  forgotten(slot: Slot): void {
    this.#of(slot).filled = false
  }

  #of(slot: Slot): History {
    let history = this.#histories.get(slot)
    if (history === undefined) {
      history = { got: '', returned: '', filled: false }
      this.#histories.set(slot, history)
    }
    return history
  }

  #patternOf(length: number): Buffer {
    if (this.#pattern.length < length) this.#pattern = Buffer.alloc(length, POISON)
    return this.#pattern.subarray(0, length)
  }
}
