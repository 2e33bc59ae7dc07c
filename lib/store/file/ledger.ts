/**
 * Every byte that the directory takes, so that its bound is true at every moment (D2).
 *
 * A byte is reserved before the system is asked for it, and given back after the system has it. `pinned` is the part
 * that evicting does not give back: drafts, and blobs that are open.
 *
 * Invariants: 0 ≤ `pinned` ≤ `total` ≤ `maxBytes`, but for a directory that was found larger than it may be, until it
 * is reclaimed.
 */
export class SpaceLedger {
  readonly maxBytes: number
  total = 0
  pinned = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
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
  }

  pin(bytes: number): void {
    this.pinned += bytes
  }

  unpin(bytes: number): void {
    this.pinned -= bytes
  }
}
