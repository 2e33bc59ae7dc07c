/*
 * How long the readers of a body may be kept waiting for the tier that it goes to. A disk is written in bursts, and a
 * body that is given up at the first of them is never kept; one that keeps its clients waiting for long makes an
 * answer worse than the origin's (I3).
 */

/** What a body may cost before any of it came: a burst of the disk. */
export const FIRST_MS = 100
/** What each byte adds: 10 ms a MiB, so that no client gets a body at less than 100 MiB/s because of a tier. */
export const MS_PER_BYTE = 10 / 2 ** 20
/** However large the body is, a tier that stands still is waited for no longer. */
export const MOST_MS = 500

/** Invariant: `left` is 0, or in [1, MOST_MS]: it grows with the body and shrinks with the time that was waited. */
export class Patience {
  left = FIRST_MS

  /** So many bytes more have come. */
  earn(bytes: number): void {
    this.left = Math.min(MOST_MS, this.left + bytes * MS_PER_BYTE)
  }

  /** Readers waited so long. */
  spend(ms: number): void {
    const left = this.left - ms
    // Less than a timer can tell is nothing.
    this.left = left < 1 ? 0 : left
  }
}
