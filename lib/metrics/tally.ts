/** Where all is counted that has no name of its own. */
export const OTHER = 'other'

/**
 * Counts by name, of a bounded number of names: the first ones that came, and `other` for the rest. So that who makes up names makes no
 * memory of ours grow, and no series of who watches us; and so that no count ever falls.
 */
export class BoundedTally {
  readonly #most: number
  readonly #counts = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  add(name: string): void {
    const counts = this.#counts
    const known = counts.get(name)
    if (known !== undefined) counts.set(name, known + 1)
    else if (counts.size < this.#most) counts.set(name, 1)
    else counts.set(OTHER, (counts.get(OTHER) ?? 0) + 1)
  }

  /** The counts by name. */
  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counts)
  }
}
