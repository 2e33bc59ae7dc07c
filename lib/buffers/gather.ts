import type { Later } from '../store/store.js'
import type { Loan, Loans } from './loans.js'
import type { Output } from './output.js'

/**
 * Copies pieces into chunks and writes those: full ones at once, others when the turn of the loop ends.
 *
 * Invariant: `#loan` is held while something, `#at` bytes of it, waits to be written, and then a turn's end is awaited or the next piece is.
 */
export class Gather {
  readonly #output: Output
  readonly #loans: Loans
  readonly #fail: (error: unknown) => void
  #loan: Loan | undefined
  #at = 0
  #turn: NodeJS.Immediate | undefined

  /** @param fail told when a chunk that was written at the end of a turn was refused */
  constructor(output: Output, loans: Loans, fail: (error: unknown) => void) {
    this.#output = output
    this.#loans = loans
    this.#fail = fail
  }

  /** Takes all of `piece` from `from` on; when it is done, nobody looks at it any more. */
  add(piece: Uint8Array, from = 0): Later<void> {
    let at = from
    while (at < piece.length) {
      if (this.#loan === undefined) {
        const loan = this.#loans.take()
        if (loan instanceof Promise) {
          return loan.then((taken) => {
            this.#loans.assertOpen(taken)
            this.#hold(taken)
            return this.add(piece, at)
          })
        }
        this.#hold(loan)
      }
      const { memory } = this.#loan!
      const count = Math.min(piece.length - at, memory.length - this.#at)
      memory.set(at === 0 && count === piece.length ? piece : piece.subarray(at, at + count), this.#at)
      this.#at += count
      at += count
      if (this.#at === memory.length) this.flush()
    }
    return undefined
  }

  /** Writes what is there. */
  flush(): void {
    this.#stopWaiting()
    const loan = this.#loan
    if (loan === undefined) return
    this.#loan = undefined
    writeLoan(this.#output, this.#loans, loan, loan.memory.subarray(0, this.#at))
    this.#at = 0
  }

  /** Writes what is there unless more comes in this turn of the loop. */
  flushSoon(): void {
    if (this.#loan === undefined || this.#turn !== undefined) return
    this.#turn = setImmediate(() => {
      this.#turn = undefined
      try {
        this.flush()
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  /** Forgets what is there. */
  drop(): void {
    this.#stopWaiting()
    if (this.#loan !== undefined) this.#loans.back(this.#loan)
    this.#loan = undefined
    this.#at = 0
  }

  #hold(loan: Loan): void {
    this.#loan = loan
    this.#at = 0
  }

  #stopWaiting(): void {
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
  }
}

/** Lends a chunk, or the part of it that was filled, to the sink. How many are out bounds it: it needs not wait for room. */
export function writeLoan(output: Output, loans: Loans, loan: Loan, filled: Uint8Array): void {
  loan.state = 'lent'
  try {
    const room = output.write(filled, () => loans.back(loan))
    // Who is to be told of a failure is told by the output itself.
    if (room instanceof Promise) room.catch(toldByOutput)
  } catch (error) {
    loans.back(loan)
    throw error
  }
}

const toldByOutput = (): void => undefined
