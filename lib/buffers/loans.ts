import type { Later } from '../store/store.js'

/** A chunk that a copy has for as long as it runs. */
export interface Loan {
  /** Memory: another one after a read that took the block away and gave it back. */
  memory: Uint8Array
  state: 'idle' | 'held' | 'lent' | 'gone'
}

/** Where chunks come from and go to. */
export interface ChunkSupply {
  borrow(): Uint8Array
  giveBack(memory: Uint8Array): void
}

/**
 * The chunks of one copy, at most `depth` of them.
 *
 * Invariants: a chunk is `held` by who fills it, `lent` to the sink, `idle` in between, or `gone`: given back, once. After `close` what is idle
 * is gone at once, and the rest when it comes back.
 */
export class Loans {
  readonly #supply: ChunkSupply
  readonly #depth: number
  readonly #all: Loan[] = []
  #waiting: { resolve(loan: Loan): void; reject(error: Error): void } | undefined
  #closed: Error | undefined

  constructor(supply: ChunkSupply, depth: number) {
    this.#supply = supply
    this.#depth = depth
  }

  /** One to be filled. One caller at a time may wait. */
  take(): Later<Loan> {
    if (this.#closed !== undefined) throw this.#closed
    const idle = this.#all.find(({ state }) => state === 'idle')
    if (idle !== undefined) {
      idle.state = 'held'
      return idle
    }
    if (this.#all.length < this.#depth) {
      const loan: Loan = { memory: this.#supply.borrow(), state: 'held' }
      this.#all.push(loan)
      return loan
    }
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  /** Nobody looks at it any more. Saying so again changes nothing. */
  back(loan: Loan): void {
    if (loan.state === 'idle' || loan.state === 'gone') return
    if (this.#closed !== undefined) return this.#drop(loan)
    if (this.#waiting === undefined) {
      loan.state = 'idle'
      return
    }
    const { resolve } = this.#waiting
    this.#waiting = undefined
    loan.state = 'held'
    resolve(loan)
  }

  /** Throws, and takes `loan` back, if it was closed since `loan` was taken. */
  assertOpen(loan: Loan): void {
    if (this.#closed === undefined) return
    this.back(loan)
    throw this.#closed
  }

  /** The sink is gone: what was lent to it comes back. */
  backFromSink(): void {
    for (const loan of this.#all) if (loan.state === 'lent') this.back(loan)
  }

  /** Nothing is taken any more: who waits fails with `error`. */
  close(error: Error): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    for (const loan of this.#all) if (loan.state === 'idle') this.#drop(loan)
    this.#waiting?.reject(error)
    this.#waiting = undefined
  }

  #drop(loan: Loan): void {
    loan.state = 'gone'
    this.#supply.giveBack(loan.memory)
  }
}
