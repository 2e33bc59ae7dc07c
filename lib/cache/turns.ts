/*
 * Who reads when, and how much at a time.
 *
 * A piece that is there already is given at once, and who awaits it goes on within the same turn of the event loop.
 * Left to themselves, many such readers, or one of a large value, would let no timer, no socket and not even the
 * origin that they wait for have the loop for seconds. So a turn has a budget, and who comes when it is spent
 * goes on with the next turn, when everybody who waited is given one piece at least.
 *
 * Each piece is garbage once it was used, and what a reader was given last stays reachable while it waits. So
 * that hundreds of readers hold no more than a few MiB, the pieces become smaller when there are many.
 */

/** Bytes that the readers of a thread are given, all together, before the rest of the event loop has its turn. */
const TURN_BYTES = 256 * 1024

/** Bytes of its value that a reader of so many is given at a time. */
export function pieceBytesAmong(readers: number): number {
  if (readers <= 64) return 64 * 1024
  return readers <= 128 ? 32 * 1024 : 16 * 1024
}

/**
 * The budget of the turns of one event loop; so there is one in a thread, whatever the number of caches.
 *
 * Invariants: `#given` is less than TURN_BYTES, or an end of the turn is scheduled; `#next` settles then.
 */
class Turns {
  #given = 0
  #ending = false
  #next: Promise<void> | undefined
  #begin: (() => void) | undefined

  /** Nothing while the budget lasts, else a promise of the next turn. */
  wait(): Promise<void> | undefined {
    if (this.#given < TURN_BYTES) return undefined
    this.#next ??= new Promise((resolve) => {
      this.#begin = resolve
    })
    return this.#next
  }

  /** A reader was given `bytes`. */
  spend(bytes: number): void {
    this.#given += bytes
    if (this.#ending) return
    this.#ending = true
    setImmediate(this.#end)
  }

  readonly #end = (): void => {
    const begin = this.#begin
    this.#given = 0
    this.#ending = false
    this.#next = undefined
    this.#begin = undefined
    begin?.()
  }
}

export const turns = new Turns()
