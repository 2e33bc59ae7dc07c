import type { Later, Store, WholeValue } from '../store.js'
import type { Changes } from './changes.js'
import type { Source } from './job.js'
import type { Level } from './level.js'

/** What batches need of the tiers together. */
export interface BatchesHost {
  readonly levels: readonly Level[]
  readonly changes: Changes
  /** The tiers below the one that is written to are to lose what they have, not to get what is new. */
  readonly firstOnly: boolean
  sourceOf(at: number, key: string): Source
  telling<T>(call: () => Later<T>): Later<T>
}

/** The tier for which values cannot be set together: the first must set all or none, and so must those whose entries outlive the process. */
export function unfitTier(stores: readonly Store[], firstOnly: boolean): string | undefined {
  const unfit = stores.find(
    (store, at) => store.setAll === undefined && (at === 0 || (store.outlives === true && !firstOnly)),
  )
  return unfit?.name
}

/**
 * Sets values as one: in the first tier that can hold all of them, and as one in those below.
 *
 * From when it is asked for until it is done no tier above is read for the keys, and from when it is done none below until that has all of
 * it: whoever finds one of the new values finds no old one of another key.
 */
export class Batches {
  readonly #host: BatchesHost

  constructor(host: BatchesHost) {
    this.#host = host
  }

  /** As `Store.setAll`. */
  set(values: readonly WholeValue[]): Later<boolean> {
    return this.#setFrom(0, values)
  }

  #setFrom(from: number, values: readonly WholeValue[]): Later<boolean> {
    const { levels } = this.#host
    const largest = Math.max(...values.map(({ bytes }) => bytes.length))
    let down: Level | undefined
    for (let at = from; at < levels.length; at += 1) {
      const level = levels[at]!
      const { store } = level
      if (store.setAll === undefined || largest > store.maxItemBytes) continue
      if (level.blind) {
        level.retry(values[0]!.key)
        if (level.health.down) down = level
        continue
      }
      const set = this.#setIn(at, values)
      if (set instanceof Promise) return set.then((done) => done || this.#setFrom(at + 1, values))
      if (set) return true
    }
    if (down !== undefined) return this.#host.telling(() => Promise.reject(down.health.refusal()))
    return false
  }

  #setIn(at: number, values: readonly WholeValue[]): Later<boolean> {
    const { levels, changes, telling } = this.#host
    const level = levels[at]!
    const keys = values.map(({ key }) => key)
    const mark = (): void => {
      for (const key of keys) changes.mark(key)
    }
    const held: Level[] = []
    const hold = (some: readonly Level[]): void => {
      for (const one of some) for (const key of keys) one.hold(key)
      held.push(...some)
    }
    const letGo = (): void => {
      for (const one of held) for (const key of keys) one.letGo(key)
    }
    mark()
    hold(levels.slice(0, at))
    let set: Later<boolean>
    try {
      set = telling(() => level.exclusiveAll(keys, () => level.store.setAll!(values)))
    } catch (error) {
      letGo()
      throw error
    }
    const stored = (): void => {
      for (const { bytes } of values) level.stored(bytes.length)
    }
    if (!(set instanceof Promise)) {
      if (set) stored()
      const above = set ? this.#followed(at, keys) : []
      letGo()
      return above.length === 0 ? set : Promise.allSettled(above).then(() => true)
    }
    hold(levels.slice(at + 1))
    return set.then(
      async (done) => {
        mark()
        if (done) stored()
        const above = done ? this.#followed(at, keys) : []
        letGo()
        await Promise.allSettled(above)
        return done
      },
      (error) => {
        letGo()
        throw error
      },
    )
  }

  /** Tier `at` has what is new: those above lose what they have, which the answers wait for; those below get it. */
  #followed(at: number, keys: readonly string[]): ReadonlyArray<Promise<unknown>> {
    const { levels, firstOnly, sourceOf } = this.#host
    const waits: Promise<unknown>[] = []
    for (const level of levels.slice(0, at).reverse()) {
      for (const key of keys) {
        try {
          const removed = level.giveWay(key)
          if (removed instanceof Promise) waits.push(removed)
        } catch {
          // Counted; the key is fenced there until it is removed.
        }
      }
    }
    for (const level of levels.slice(at + 1)) {
      if (firstOnly) for (const key of keys) level.forget(key)
      else
        level.writeAll(
          keys,
          keys.map((key) => sourceOf(at, key)),
        )
    }
    return waits
  }
}
