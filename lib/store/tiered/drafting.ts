import type { Draft, Later, Metadata } from '../store.js'
import type { Level } from './level.js'
import { TierDraft } from './tier-draft.js'

/** What drafts need of the tiers together. */
export interface DraftingHost {
  readonly levels: readonly Level[]
  /** No draft is begun or written to any more. */
  isClosed(): boolean
  /** No tier was asked: the value is larger than any of them takes. */
  onTooLarge(): void
  /** Has `commit` change the entry of `key` in tier `at`, and the other tiers follow. */
  commit(at: number, key: string, commit: () => Later<boolean>): Later<boolean>
  /** What `call` gives; its failure is told to the caller, who counts it, too. */
  telling<T>(call: () => Later<T>): Later<T>
  tell(): void
}

/** Begins drafts in the first tier that takes them, and goes on below with what outgrows it. */
export class Drafting {
  readonly #host: DraftingHost
  readonly #levels: readonly Level[]

  constructor(host: DraftingHost) {
    this.#host = host
    this.#levels = host.levels
  }

  /** As `Store.draft`. */
  begin(key: string, size: number | undefined, user: unknown): Later<Draft | undefined> {
    return this.#draftFrom(0, key, size, user)
  }

  #draftFrom(
    from: number,
    key: string,
    size: number | undefined,
    user: unknown,
    before: Asked = NOBODY,
  ): Later<Draft | undefined> {
    let asked = before
    for (let at = from; at < this.#levels.length; at += 1) {
      const level = this.#levels[at]!
      const { store } = level
      if (size !== undefined && size > store.maxItemBytes) continue
      const { refused, failed } = asked
      if (level.blind) {
        level.retry(key)
        if (level.health.down) asked = { refused, failed: { error: level.health.refusal() } }
        continue
      }
      try {
        const draft = store.draft(key, size, user)
        if (draft instanceof Promise) {
          return level.health
            .inTime(draft, (late) => level.attempt(() => late?.abort()))
            .then(
              (begun) =>
                begun === undefined
                  ? this.#draftFrom(at + 1, key, size, user, { refused: true, failed })
                  : this.#drafted(begun, at, key, user),
              (error) => {
                return this.#draftFrom(at + 1, key, size, user, { refused, failed: { error } })
              },
            )
        }
        if (draft !== undefined) return this.#drafted(draft, at, key, user)
        asked = { refused: true, failed }
      } catch (error) {
        // Counted; the next tier may do.
        level.health.count()
        asked = { refused, failed: { error } }
      }
    }
    const { refused, failed } = asked
    if (refused || failed === undefined) {
      if (size !== undefined && this.#levels.every(({ store }) => size > store.maxItemBytes))
        this.#host.onTooLarge()
      return undefined
    }
    this.#host.tell()
    throw failed.error
  }

  #drafted(draft: Draft, at: number, key: string, user: unknown): Draft {
    const level = this.#levels[at]!
    const { emptied } = level
    const host = this.#host
    return new TierDraft(draft, level.store.name, {
      // A value may still be on its way to a tier below when nobody waits for it any more.
      write: (inner, chunk) =>
        !host.isClosed() && host.telling(() => level.written(() => inner.write(chunk))),
      commit: (inner, metadata: Metadata) =>
        host.commit(at, key, () => {
          const kept = inner.commit(metadata)
          const stored = (done: boolean): boolean => {
            if (done) level.stored(metadata.size)
            return done
          }
          return kept instanceof Promise ? kept.then(stored) : stored(kept)
        }),
      isFenced: (inner) => inner.fenced === true && level.emptied === emptied,
      below: () => (host.isClosed() ? undefined : this.#draftFrom(at + 1, key, undefined, user)),
    })
  }
}

/** What came of asking tiers for a draft. */
interface Asked {
  /** One had no room. */
  readonly refused: boolean
  readonly failed: { readonly error: unknown } | undefined
}

const NOBODY: Asked = { refused: false, failed: undefined }
