import type { Draft, Later, Metadata, Store, StoredEntry } from '../store/store.js'

/**
 * A store as the cache uses it: its failures cost hits, never answers (I3), and changes of one key happen in
 * the order in which they were asked for, also where a store answers later (I5).
 *
 * Invariant: `#pending` holds, for each key with changes under way, a promise that settles after the last of
 * them; a near store never puts anything there.
 */
export class Tier {
  readonly store: Store
  /** Failures of the store since it was opened. */
  failures = 0
  readonly #pending = new Map<string, Promise<void>>()
  /** A clear under way: all changes wait for it. */
  #barrier: Promise<void> | undefined

  constructor(store: Store) {
    this.store = store
  }

  /** The entry, or undefined also when the store fails: that is a miss. */
  find(key: string, peek?: boolean): Later<StoredEntry | undefined> {
    return this.#orUndefined(() => this.store.find(key, peek))
  }

  draft(key: string, size: number | undefined): Later<Draft | undefined> {
    return this.#orUndefined(() => this.store.draft(key, size))
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): Later<boolean> {
    const revised = this.#orUndefined(() => this.store.revise(key, entry, metadata))
    return revised instanceof Promise ? revised.then((ok) => ok === true) : revised === true
  }

  /** Runs `change` after all changes of `key` asked for before. What it throws is the caller's. */
  change<T>(key: string, change: () => Later<T>): Later<T> {
    const before = this.#pending.get(key) ?? this.#barrier
    const result = before === undefined ? change() : before.then(change)
    if (result instanceof Promise) this.#follow(key, result)
    return result
  }

  /** Removes all entries, after all changes asked for before. */
  clear(): Later<void> {
    if (this.#pending.size === 0 && this.#barrier === undefined) {
      const cleared = this.store.clear()
      return cleared instanceof Promise ? this.#bar(cleared) : cleared
    }
    return this.#bar(Promise.all([...this.#pending.values(), this.#barrier]).then(() => this.store.clear()))
  }

  #orUndefined<T>(ask: () => Later<T | undefined>): Later<T | undefined> {
    try {
      const answer = ask()
      return answer instanceof Promise ? answer.catch(this.#failed) : answer
    } catch {
      // Counted; the caller goes on as on a miss.
      return this.#failed()
    }
  }

  readonly #failed = (): undefined => {
    this.failures += 1
    return undefined
  }

  #follow(key: string, change: Promise<unknown>): void {
    const settled = settlement(change).then(() => {
      if (this.#pending.get(key) === settled) this.#pending.delete(key)
    })
    this.#pending.set(key, settled)
  }

  #bar(clear: Promise<void>): Promise<void> {
    const settled = settlement(clear).then(() => {
      if (this.#barrier === settled) this.#barrier = undefined
    })
    this.#barrier = settled
    return clear
  }
}

/** Settles when `work` does, and never rejects: its outcome is told elsewhere. */
function settlement(work: Promise<unknown>): Promise<void> {
  return work.then(
    () => undefined,
    () => undefined,
  )
}
