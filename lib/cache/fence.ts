/*
 * What keeps older work in flight from committing over newer (I5).
 *
 * Each fill and each write takes a pass when it begins and shows it when it wants to commit. A delete or clear
 * fences every pass of its keys that was taken before; a write that commits fences the fills, not the other
 * writes: of two writes the one that commits last wins. A fill that commits fences the fills that began before it. A lookup in a store that answers later takes a pass,
 * too: once fenced, what it finds may be gone already. No counter is kept per key: the table holds only what is
 * in flight.
 */

/** The right to commit under a key, or to trust what was found there. Lost for good once `fenced`. */
export interface Pass {
  readonly key: string
  readonly kind: 'fill' | 'write' | 'lookup'
  fenced: boolean
}

/** Invariant: a pass is in the table from `enter` until `leave`. */
export class FenceTable {
  readonly #passes = new Map<string, Set<Pass>>()

  /** Passes in the table. */
  get size(): number {
    let size = 0
    for (const passes of this.#passes.values()) size += passes.size
    return size
  }

  enter(key: string, kind: Pass['kind']): Pass {
    const pass: Pass = { key, kind, fenced: false }
    const there = this.#passes.get(key)
    if (there === undefined) this.#passes.set(key, new Set([pass]))
    else there.add(pass)
    return pass
  }

  leave(pass: Pass): void {
    const there = this.#passes.get(pass.key)
    if (there?.delete(pass) && there.size === 0) this.#passes.delete(pass.key)
  }

  /** A write of `key` commits: older fills may not. */
  fenceFills(key: string): void {
    const passes = this.#passes.get(key)
    if (passes === undefined) return
    for (const pass of passes) if (pass.kind !== 'write') pass.fenced = true
  }

  /** The fill of `pass` commits: those of its key that began before it may not. What they got is older. */
  fenceOlderFills(pass: Pass): void {
    // In the order in which they were entered.
    for (const other of this.#passes.get(pass.key) ?? []) {
      if (other === pass) return
      if (other.kind === 'fill') other.fenced = true
    }
  }

  /** What `key` has was changed: lookups under way may have found what was there before. */
  fenceLookups(key: string): void {
    for (const pass of this.#passes.get(key) ?? []) if (pass.kind === 'lookup') pass.fenced = true
  }

  /** A delete: nothing of `key` that began before may commit. */
  fenceAll(key: string): void {
    for (const pass of this.#passes.get(key) ?? []) pass.fenced = true
  }

  /** A clear: nothing that began before may commit. */
  fenceEverything(): void {
    for (const passes of this.#passes.values()) for (const pass of passes) pass.fenced = true
  }

  /** As `fenceLookups`, for all keys. */
  fenceAllLookups(): void {
    for (const key of this.#passes.keys()) this.fenceLookups(key)
  }
}
