/**
 * Every byte that the directory takes, so that its bound is true at every moment (D2).
 *
 * A byte is reserved before the system is asked for it, and given back after the system has it. `pinned` is the part
 * that evicting does not give back: drafts, and blobs that are open.
 *
 * Invariants: 0 ≤ `pinned` ≤ `total` ≤ `maxBytes`, but for a directory that was found larger than it may be, until it
 * is reclaimed. `maxBytes` goes down to a lower `goal` bit by bit, and never rises on its way: half of what comes back is not given out
 * again, so that whoever makes room for himself finds it without evicting all that is too much.
 */
export class SpaceLedger {
  total = 0
  pinned = 0
  readonly #kept: number
  #maxBytes: number
  #goal: number

  /** @param kept what the log needs, however little there is to be */
  constructor(maxBytes: number, kept = 0) {
    this.#maxBytes = maxBytes
    this.#goal = maxBytes
    this.#kept = kept
  }

  /** The bound that holds now. */
  get maxBytes(): number {
    return this.#maxBytes
  }

  /** From here on it may be so much: at once where that is more, else as it comes down to it. */
  setGoal(goal: number): void {
    this.#goal = goal
    this.#maxBytes = Math.max(this.#maxBytes, goal)
    this.#descend(0)
  }

  /** Takes `bytes` if they are to be had with `spare` left over; says whether. */
  reserve(bytes: number, spare = 0): boolean {
    if (this.total + bytes > this.maxBytes - spare) return false
    this.total += bytes
    return true
  }

  /** Takes `bytes` that are there already. */
  charge(bytes: number): void {
    this.total += bytes
  }

  release(bytes: number): void {
    this.total -= bytes
    if (this.#maxBytes > this.#goal) this.#descend(bytes / 2)
  }

  #descend(retired: number): void {
    if (this.total + this.#kept <= this.#goal) {
      this.#maxBytes = this.#goal
      return
    }
    const less = Math.min(this.#maxBytes - Math.floor(retired), this.total + 3 * this.#kept)
    this.#maxBytes = Math.min(this.#maxBytes, Math.max(this.#goal, this.total + this.#kept, less))
  }

  pin(bytes: number): void {
    this.pinned += bytes
  }

  unpin(bytes: number): void {
    this.pinned -= bytes
  }
}
