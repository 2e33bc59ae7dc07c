/** So many chunks in a row that do not pay, and the next are not tried. */
const TRIES = 2
/** How many are then passed over: twice as many each time that the one tried after them does not pay, up to the last. */
const LEAST_REST = 8
const MOST_REST = 64

/**
 * Whether the chunks of one value are worth trying. Compressing what does not get smaller costs as much as what does; so
 * after TRIES that did not pay it rests, tries one, and rests longer, until one pays.
 *
 * What is tried costs an incompressible value of n chunks 2 + log2(MOST_REST / LEAST_REST) + n / MOST_REST tries at most,
 * and those that are under way at once when the first results come.
 */
export class Probe {
  #missed = 0
  #rest = LEAST_REST
  /** Chunks that are still passed over. */
  #resting = 0

  /** Whether the next chunk is to be tried. Asked once for each. */
  tries(): boolean {
    if (this.#resting === 0) return true
    this.#resting -= 1
    return false
  }

  /** What came of one that was tried. */
  learn(paid: boolean): void {
    if (paid) {
      this.#missed = 0
      this.#rest = LEAST_REST
      this.#resting = 0
      return
    }
    this.#missed += 1
    // Of those that were under way together only the first that is one too many begins a rest.
    if (this.#missed < TRIES || this.#resting > 0) return
    this.#resting = this.#rest
    this.#rest = Math.min(MOST_REST, this.#rest * 2)
  }
}
