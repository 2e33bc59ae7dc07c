import type { Later } from '../store.js'

/**
 * A change of several keys that a tier makes as one: begun when the job of each has come to it.
 *
 * Invariant: `call` is made once at most, when all have arrived; `done` is settled once, and never rejects: what failed is `failure`.
 */
export class Together {
  readonly done: Promise<boolean>
  failure: { readonly error: unknown } | undefined
  /** Where it says false, the store has what it had. */
  readonly keeps: boolean
  readonly #call: () => Later<boolean>
  #missing: number
  #over = false
  #settle!: (done: boolean) => void

  constructor(count: number, keeps: boolean, call: () => Later<boolean>) {
    this.#missing = count
    this.keeps = keeps
    this.#call = call
    this.done = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  /** The job of one of the keys has nothing else under way. Resolves to whether the change was made. */
  arrive(): Promise<boolean> {
    this.#missing -= 1
    if (this.#missing === 0 && !this.#over) void this.#make()
    return this.done
  }

  /** It is not made, unless it is under way. */
  giveUp(): void {
    if (this.#over) return
    this.#over = true
    this.#settle(false)
  }

  async #make(): Promise<void> {
    this.#over = true
    let done = false
    try {
      done = await this.#call()
    } catch (error) {
      this.failure = { error }
    }
    this.#settle(done)
  }
}
