import { OverloadedError } from '../errors.js'
import type { Later, Store } from '../store/store.js'

/** How often keys are looked up anew before batches of other threads are asked to wait, and before it is given up. */
const PATIENT = 4
const TRIES = 1000

/**
 * Has lookups of several keys see each atomic batch whole or not at all.
 *
 * What answers at once is looked up in one turn, in which no batch of this thread can come. What is looked up later is looked up anew where a
 * batch was under way meanwhile; then, and only then, batches wait for it.
 *
 * Invariants: `#version` grows with each batch that begins; none begins while somebody reads in turn; who reads in turn begins when none
 * is under way.
 */
export class BatchTurns {
  readonly #store: Pick<Store, 'batches'>
  #version = 0
  #writing = 0
  #reading = 0
  #onQuiet: Array<() => void> = []
  #onRead: Array<() => void> = []

  constructor(store: Pick<Store, 'batches'>) {
    this.#store = store
  }

  /** Makes `change`, a batch, when nobody reads in turn. */
  write<T>(change: () => Later<T>): Later<T> {
    if (this.#reading > 0) {
      return new Promise<void>((resolve) => this.#onRead.push(resolve)).then(() => this.write(change))
    }
    this.#version += 1
    this.#writing += 1
    let made: Later<T>
    try {
      made = change()
    } catch (error) {
      this.#written()
      throw error
    }
    if (made instanceof Promise) return made.finally(() => this.#written())
    this.#written()
    return made
  }

  /** What `look` gives, of one moment as far as batches go. What it gave before, when a batch overtook it, goes to `drop`. */
  read<T>(look: () => Later<T>, drop: (found: T) => void): Later<T> {
    const version = this.#version
    const quiet = this.#writing === 0
    const found = this.#store.batches === undefined ? look() : this.#readShared(look, drop)
    if (!(found instanceof Promise)) return found
    return found.then((value) => {
      if (quiet && this.#version === version) return value
      drop(value)
      return this.#readInTurn(look)
    })
  }

  async #readInTurn<T>(look: () => Later<T>): Promise<T> {
    this.#reading += 1
    try {
      while (this.#writing > 0) await new Promise<void>((resolve) => this.#onQuiet.push(resolve))
      return await look()
    } finally {
      this.#reading -= 1
      if (this.#reading === 0) for (const go of this.#onRead.splice(0)) go()
    }
  }

  /** Of a store that answers at once, and that other threads write to. */
  #readShared<T>(look: () => Later<T>, drop: (found: T) => void): Later<T> {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const before = this.#store.batches!(tries > PATIENT)
      const found = look()
      if (found instanceof Promise || this.#store.batches!(false) === before) return found
      drop(found)
    }
    throw new OverloadedError(
      'getMany: other threads set batches all the time, and none of the lookups was of one moment; try again, or set fewer',
    )
  }

  #written(): void {
    this.#writing -= 1
    if (this.#writing === 0) for (const go of this.#onQuiet.splice(0)) go()
  }
}
