/*
 * Who reads when, and how much at a time.
 *
 * A piece that is there already is given at once, and who awaits it goes on within the same turn of the event loop.
 * Left to themselves, many such readers, or one of a large value, would let no timer, no socket and not even the
 * origin that they wait for have the loop for seconds. So a turn has a budget, and who comes when it is spent
 * goes on with the next turn, when everybody who waited is given one piece at least.
 *
 * Each piece is a copy that is garbage once it was used, and what a reader was given last stays reachable while it
 * waits. V8 collects such memory when 32 MiB have come together, and what was still held then lives on until a full
 * collection: with hundreds of readers more than the value that they read. So when there are many, the pieces become
 * smaller, and V8 is made to look earlier.
 */

/** Bytes that the readers of a thread are given, all together, before the rest of the event loop has its turn. */
const TURN_BYTES = 256 * 1024

/** More readers than this are many. */
const FEW = 64

/** Bytes of garbage that many readers may leave before V8 is made to look for it. */
const GARBAGE_BYTES = 16 * 1024 * 1024

/**
 * Memory that is asked for, never touched and let go: more than V8 lets come together before it collects the young, so
 * that it does so. It is address space only; and it is so large (over 32 MiB) that glibc maps and unmaps it without
 * drawing conclusions for other sizes.
 */
const NUDGE_BYTES = 33 * 1024 * 1024

/** Bytes of its value that a reader of so many is given at a time. */
export function pieceBytesAmong(readers: number): number {
  if (readers <= FEW) return 64 * 1024
  return readers <= 2 * FEW ? 32 * 1024 : 16 * 1024
}

/**
 * The budget of the turns of one event loop, and the garbage of its readers; so there is one in a thread, whatever
 * the number of caches.
 *
 * Invariants: `#given` is 0, or an end of the turn is scheduled; `#next` settles then.
 */
class Turns {
  #given = 0
  #garbage = 0
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

  /** One of so many `readers` was given `bytes`. */
  spend(bytes: number, readers: number): void {
    this.#given += bytes
    if (readers > FEW) this.#discard(bytes)
    if (this.#ending) return
    this.#ending = true
    setImmediate(this.#end)
  }

  #discard(bytes: number): void {
    this.#garbage += bytes
    if (this.#garbage < GARBAGE_BYTES) return
    this.#garbage = 0
    try {
      Buffer.allocUnsafeSlow(NUDGE_BYTES)
    } catch {
      // Where address space is scarce V8 looks when it must, as it would have without this.
    }
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
