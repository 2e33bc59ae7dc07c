import type { Draft, GrowingReads, Later, Metadata } from '../store.js'

/** What the tiers do for a draft of one of them. */
export interface DraftHost {
  write(draft: Draft, chunk: Uint8Array): Later<boolean>
  commit(draft: Draft, metadata: Metadata): Later<boolean>
}

/** A draft of one tier, whose commit is a change of all. */
export class TierDraft implements Draft {
  readonly tier: string
  readonly growing?: GrowingReads
  readonly #inner: Draft
  readonly #host: DraftHost

  constructor(inner: Draft, tier: string, host: DraftHost) {
    this.#inner = inner
    this.#host = host
    this.tier = tier
    if (inner.growing !== undefined) this.growing = inner.growing
  }

  get fenced(): boolean {
    return this.#inner.fenced === true
  }

  write(chunk: Uint8Array): Later<boolean> {
    return this.#host.write(this.#inner, chunk)
  }

  commit(metadata: Metadata): Later<boolean> {
    return this.#host.commit(this.#inner, metadata)
  }

  abort(): void {
    this.#inner.abort()
  }
}
