import type { Draft, GrowingReads, Later, Metadata } from '../store.js'

/** What the tiers do for a draft of one of them. */
export interface DraftHost {
  write(draft: Draft, chunk: Uint8Array): Later<boolean>
  commit(draft: Draft, metadata: Metadata): Later<boolean>
  /** Somebody deleted what is being written. */
  isFenced(draft: Draft): boolean
  /** A draft of a tier below, for a value that outgrows this one. */
  below(): Later<Draft | undefined>
}

/** A draft of one tier, whose commit is a change of all. */
export class TierDraft implements Draft {
  readonly tier: string
  readonly growing?: GrowingReads
  readonly #inner: Draft
  readonly #host: DraftHost
  #aborted = false

  constructor(inner: Draft, tier: string, host: DraftHost) {
    this.#inner = inner
    this.#host = host
    this.tier = tier
    if (inner.growing !== undefined) this.growing = inner.growing
  }

  get fenced(): boolean {
    return this.#host.isFenced(this.#inner)
  }

  write(chunk: Uint8Array): Later<boolean> {
    return this.#host.write(this.#inner, chunk)
  }

  commit(metadata: Metadata): Later<boolean> {
    const committed = this.#host.commit(this.#inner, metadata)
    if (!(committed instanceof Promise)) return this.#settled(committed)
    return committed.then(
      (ok) => this.#settled(ok),
      (error) => {
        this.abort()
        throw error
      },
    )
  }

  async spill(): Promise<Draft | undefined> {
    const { growing } = this
    if (growing === undefined) return undefined
    const letGo = growing.hold()
    let below: Draft | undefined
    let whole = false
    try {
      below = await this.#host.below()
      whole = below !== undefined && (await copied(growing, below, () => !this.#aborted))
      return whole ? below : undefined
    } finally {
      if (!whole) below?.abort()
      letGo()
    }
  }

  abort(): void {
    this.#aborted = true
    this.#inner.abort()
  }

  /** A tier that may not be changed now was not asked, and has the draft open still. */
  #settled(ok: boolean): boolean {
    if (!ok) this.abort()
    return ok
  }
}

/** Gives `to` all that `growing` has; says whether it was taken. */
async function copied(growing: GrowingReads, to: Draft, wanted: () => boolean): Promise<boolean> {
  for (let position = 0; ; ) {
    const piece = growing.view(position)
    if (piece.length === 0) return true
    if (!wanted() || !(await to.write(piece))) return false
    position += piece.length
  }
}
