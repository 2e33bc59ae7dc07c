/** A draft that a tier has open. */
export interface OpenDraft {
  /** The tier deleted what its key had, on its own account: where that fences the draft, nobody has deleted what is being written. */
  overtaken: boolean
}

/**
 * The drafts that a tier has open, by key.
 *
 * A store that fences by itself takes a delete of a key to be newer than every draft of it. A delete that only follows a change of another tier is
 * not: what is being written is newer still, and was not deleted by anybody (I5).
 */
export class OpenDrafts {
  readonly #drafts = new Map<string, Set<OpenDraft>>()
  readonly #onLast: (key: string) => void

  /** @param onLast is told of a key that has no open draft any more */
  constructor(onLast: (key: string) => void) {
    this.#onLast = onLast
  }

  has(key: string): boolean {
    return this.#drafts.has(key)
  }

  begin(key: string): OpenDraft {
    const draft = { overtaken: false }
    const there = this.#drafts.get(key)
    if (there === undefined) this.#drafts.set(key, new Set([draft]))
    else there.add(draft)
    return draft
  }

  /** It was committed, aborted, or never came to be. Calling it again does nothing. */
  end(key: string, draft: OpenDraft): void {
    const there = this.#drafts.get(key)
    if (there?.delete(draft) !== true || there.size > 0) return
    this.#drafts.delete(key)
    this.#onLast(key)
  }

  overtake(key: string): void {
    for (const draft of this.#drafts.get(key) ?? []) draft.overtaken = true
  }

  overtakeAll(): void {
    for (const key of this.#drafts.keys()) this.overtake(key)
  }
}
