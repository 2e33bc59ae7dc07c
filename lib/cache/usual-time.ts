/** Answers that are looked at. */
const WINDOW = 64
/** How many come before the middle is found anew. */
const STRIDE = 8

/**
 * What something usually takes: the middle of its last 64 times, found anew at every eighth.
 *
 * Invariants: `#times` has the last `min(#count, WINDOW)` times, in a ring; `middle` is that of those that were there at the last multiple of
 * `STRIDE`, or at the first ones, each of which counts.
 */
export class UsualTime {
  /** In milliseconds; undefined before there was any. */
  middle: number | undefined
  readonly #times = new Float64Array(WINDOW)
  #count = 0

  took(ms: number): void {
    this.#times[this.#count % WINDOW] = ms
    this.#count += 1
    if (this.#count > STRIDE && this.#count % STRIDE !== 0) return
    const known = this.#times.slice(0, Math.min(this.#count, WINDOW)).sort()
    this.middle = known[Math.floor(known.length / 2)]
  }
}
