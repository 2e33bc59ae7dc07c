/**
 * What is held.
 *
 * Invariants: `weight` is the sum of the weights of `count` holders; who waits for none of them is told when the last one leaves.
 */
export class Held {
  weight = 0
  count = 0
  #none: Promise<void> | undefined
  #onNone: (() => void) | undefined

  add(weight: number): void {
    this.weight += weight
    this.count += 1
  }

  remove(weight: number): void {
    this.weight -= weight
    this.count -= 1
    if (this.count > 0) return
    this.#onNone?.()
    this.#none = undefined
    this.#onNone = undefined
  }

  /** Resolves when nothing is held. */
  none(): Promise<void> {
    if (this.count === 0) return Promise.resolve()
    this.#none ??= new Promise((resolve) => {
      this.#onNone = resolve
    })
    return this.#none
  }
}
