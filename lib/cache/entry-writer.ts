import { NoSpaceError, TooLargeError, TruncatedError } from '../errors.js'
import { showKey } from '../keys.js'
import type { Draft, Later, Metadata } from '../store/store.js'
import type { FenceTable, Pass } from './fence.js'
import { type EntryHead, type Freshness, metadataOf } from './metadata.js'
import type { Tier } from './tier.js'

/** What a writer needs of its cache. */
export interface WriteContext {
  readonly tier: Tier
  readonly fences: FenceTable
  now(): number
  /** A write of `key` is about to be committed: fills that are older may not be joined any more. */
  onCommit(key: string): void
}

/**
 * One value on its way into the tier, from `set` or `writer`.
 *
 * Invariants: nothing is visible before `finish` answers; after `finish` or `abort` the pass has left the
 * fence table and the draft is committed or aborted.
 */
export class EntryWriter {
  readonly #key: string
  readonly #head: EntryHead
  readonly #freshness: Freshness
  readonly #context: WriteContext
  readonly #pass: Pass
  #draft: Later<Draft | undefined>
  #size = 0
  #over = false

  constructor(key: string, head: EntryHead, freshness: Freshness, context: WriteContext) {
    this.#key = key
    this.#head = head
    this.#freshness = freshness
    this.#context = context
    this.#draft = context.tier.store.draft(key, head.size)
    // Whoever writes or finishes learns of a failure; until then it must not count as unhandled.
    if (this.#draft instanceof Promise) this.#draft.catch(() => undefined)
    this.#pass = context.fences.enter(key, 'write')
  }

  /** Takes `bytes`, in order. Throws or rejects when the tier cannot hold them; then `abort`. */
  write(bytes: Uint8Array): Later<void> {
    this.#size += bytes.length
    const { size } = this.#head
    if (size !== undefined && this.#size > size) throw this.#wrongSize('more')
    const draft = this.#draft
    if (draft instanceof Promise) return draft.then((got) => this.#writeTo(got, bytes))
    return this.#writeTo(draft, bytes)
  }

  /** Commits; answers with the metadata. A value that a newer delete fenced counts as written and removed again. */
  finish(): Later<Metadata> {
    const { size } = this.#head
    if (size !== undefined && this.#size < size) throw this.#wrongSize('fewer')
    const metadata = metadataOf(this.#head, this.#size, this.#freshness, this.#context.now())
    const draft = this.#draft
    const kept = this.#context.tier.change(this.#key, () =>
      draft instanceof Promise
        ? draft.then((got) => this.#commit(got, metadata))
        : this.#commit(draft, metadata),
    )
    return kept instanceof Promise ? kept.then(() => this.#done(metadata)) : this.#done(metadata)
  }

  /** Leaves no trace. Calling it again, or after `finish`, does nothing. */
  abort(): void {
    if (this.#over) return
    this.#over = true
    this.#context.fences.leave(this.#pass)
    const draft = this.#draft
    if (draft instanceof Promise) {
      draft.then(
        (got) => got?.abort(),
        () => undefined, // The draft was never had; the write has rejected with the reason.
      )
    } else draft?.abort()
  }

  #writeTo(draft: Draft | undefined, bytes: Uint8Array): Later<void> {
    const ok = draft === undefined ? false : draft.write(bytes)
    if (ok instanceof Promise) {
      return ok.then((taken) => {
        if (!taken) throw this.#noRoom()
      })
    }
    if (!ok) throw this.#noRoom()
  }

  #commit(draft: Draft | undefined, metadata: Metadata): Later<void> {
    if (this.#pass.fenced) return draft?.abort()
    this.#context.fences.fenceFills(this.#key)
    this.#context.onCommit(this.#key)
    const ok = draft === undefined ? false : draft.commit(metadata)
    if (ok instanceof Promise) {
      return ok.then((kept) => {
        if (!kept) throw this.#noRoom()
      })
    }
    if (!ok) throw this.#noRoom()
  }

  #done(metadata: Metadata): Metadata {
    this.#over = true
    this.#context.fences.leave(this.#pass)
    return metadata
  }

  #noRoom(): TooLargeError | NoSpaceError {
    const { name, maxItemBytes } = this.#context.tier.store
    const size = Math.max(this.#size, this.#head.size ?? 0)
    if (size > maxItemBytes) {
      return new TooLargeError(
        `the value of ${showKey(this.#key)} has ${size} bytes or more; the ${name} tier keeps values up to maxItemBytes, ${maxItemBytes}`,
      )
    }
    return new NoSpaceError(
      `the ${name} tier has no room for the ${size} bytes of ${showKey(this.#key)}: what it holds is in use; try again, or raise maxBytes`,
    )
  }

  #wrongSize(how: 'more' | 'fewer'): TruncatedError {
    return new TruncatedError(
      `the value of ${showKey(this.#key)} has ${how} than the ${this.#head.size} bytes that were declared`,
    )
  }
}
