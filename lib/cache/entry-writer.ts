import { AbortedError, NoSpaceError, TooLargeError, TruncatedError } from '../errors.js'
import { showKey } from '../keys.js'
import type { Draft, Later, Metadata, Store } from '../store/store.js'
import type { FenceTable, Pass } from './fence.js'
import { drawn, type EntryHead, type Freshness, metadataOf } from './metadata.js'
import type { TagTable } from './tags.js'
import type { Tier } from './tier.js'

/** What a writer needs of its cache. */
export interface WriteContext {
  readonly tier: Tier
  readonly fences: FenceTable
  readonly freshness: Freshness
  readonly tags: TagTable
  now(): number
  /** Throws `ERR_DREY_CLOSED` once the cache closes. */
  assertOpen(): void
  /** A write of `key` is being committed, or was: fills that are older may not be joined any more. */
  onCommit(key: string): void
  /** A value is in the tier. */
  onStored(key: string, metadata: Metadata): void
}

/** What a write that begins now is to carry. Most have no tags, and need not ask. */
export function sequenceFor({ tags }: EntryHead, table: TagTable): number {
  return tags.length === 0 ? 0 : table.sequence
}

/**
 * One value on its way into the tier, from `set` or `writer`.
 *
 * Invariants: nothing is visible before `finish` answers; after `finish` has answered, or `abort`, the writer is `#over`:
 * its pass has left the fence table, its draft is committed or aborted, and nothing more is written.
 */
export class EntryWriter {
  readonly #key: string
  readonly #head: EntryHead
  readonly #context: WriteContext
  readonly #pass: Pass
  readonly #sequence: number
  #draft: Later<Draft | undefined>
  #size = 0
  #over = false

  /** @throws what the store throws. */
  constructor(key: string, head: EntryHead, context: WriteContext) {
    const { tier, fences, tags } = context
    this.#key = key
    this.#sequence = sequenceFor(head, tags)
    this.#head = head
    this.#context = context
    this.#draft = tier.askInTurn(key, () => tier.store.draft(key, head.size, head.user))
    // Whoever writes or finishes learns of a failure; until then it must not count as unhandled.
    if (this.#draft instanceof Promise) this.#draft.catch(toldLater)
    this.#pass = fences.enter(key, 'write')
  }

  /** Takes `bytes`, in order; before it returns where `takesAtOnce`. Throws or rejects when the tier cannot hold them; then `abort`. */
  write(bytes: Uint8Array): Later<void> {
    this.#size += bytes.length
    const { size } = this.#head
    if (size !== undefined && this.#size > size) throw this.#wrongSize('more')
    return this.#with((draft) => {
      const { tier } = this.#context
      const taken = draft === undefined ? false : tier.ask(() => draft.write(bytes))
      if (taken instanceof Promise) return taken.then((ok) => this.#taken(ok, draft, bytes))
      return this.#taken(taken, draft, bytes)
    })
  }

  #taken(ok: boolean, draft: Draft | undefined, bytes: Uint8Array): Later<void> {
    if (ok || this.#forgets) return
    if (draft?.spill === undefined) throw this.#noRoom()
    // Bytes that a near store would have taken by now may be changed from here on.
    return this.#spill(draft, Buffer.from(bytes))
  }

  /** Goes on in a tier below, where the one that it was written to cannot hold it. */
  async #spill(draft: Draft, bytes: Buffer): Promise<void> {
    const { tier } = this.#context
    const below = await tier.ask(() => draft.spill!())
    if (this.#over) tier.abort(below)
    this.#assertOpen()
    if (below === undefined) throw this.#noRoom()
    this.#draft = below
    tier.abort(draft)
    this.#assertTaken(await tier.ask(() => below.write(bytes)))
  }

  /** Whether the store is near, or takes nothing, so that bytes given to `write` may change as soon as it has returned. */
  get takesAtOnce(): boolean {
    const draft = this.#draft
    return !(draft instanceof Promise) && (draft === undefined || draft.growing !== undefined)
  }

  /** Commits; answers with the metadata. A value that a newer delete fenced counts as written and removed again. */
  finish(): Later<Metadata> {
    const { size } = this.#head
    if (size !== undefined && this.#size < size) throw this.#wrongSize('fewer')
    const { tier, freshness, now } = this.#context
    const metadata = metadataOf(this.#head, this.#size, drawn(freshness), now(), this.#sequence)
    const kept = this.#with((draft) => tier.change(this.#key, () => this.#commit(draft, metadata)))
    const done = (): Later<Metadata> => {
      this.#close()
      this.#context.onStored(this.#key, metadata)
      // The delete that won may be under way still: until it is done, what was there before can be seen.
      const deleted = this.#pass.fenced ? tier.change(this.#key, nothingMore) : undefined
      return deleted instanceof Promise ? deleted.then(() => metadata) : metadata
    }
    return kept instanceof Promise ? kept.then(done) : done()
  }

  /** Leaves no trace. Calling it again, or after `finish` has answered, does nothing. */
  abort(): void {
    if (this.#over) return
    this.#close()
    const { tier } = this.#context
    const draft = this.#draft
    if (draft instanceof Promise) draft.then((got) => tier.abort(got), toldLater)
    else tier.abort(draft)
  }

  #commit(draft: Draft | undefined, metadata: Metadata): Later<void> {
    const { tier, fences, onCommit } = this.#context
    this.#assertOpen()
    if (this.#pass.fenced) return tier.abort(draft)
    if (draft === undefined && !this.#forgets) throw this.#noRoom()
    fences.fenceFills(this.#key)
    onCommit(this.#key)
    if (draft === undefined) return
    const ok = tier.ask(() => draft.commit(metadata))
    if (!(ok instanceof Promise)) return this.#assertKept(ok, draft)
    return ok.then((kept) => {
      // Who looked the key up meanwhile may have found the old value, and begun a fill that knows only that.
      fences.fenceLookups(this.#key)
      onCommit(this.#key)
      this.#assertKept(kept, draft)
    })
  }

  /** Runs `step` with the draft, at once where it is there. */
  #with<T>(step: (draft: Draft | undefined) => Later<T>): Later<T> {
    this.#assertOpen()
    const draft = this.#draft
    if (!(draft instanceof Promise)) return step(draft)
    return draft.then((got) => {
      this.#assertOpen()
      return step(got)
    })
  }

  /** Whether the store keeps nothing: then all is written, and gone again at once. */
  get #forgets(): boolean {
    return this.#context.tier.store.keeps === false
  }

  #close(): void {
    this.#over = true
    this.#context.fences.leave(this.#pass)
  }

  #assertOpen(): void {
    if (this.#over) throw new AbortedError(`writing ${showKey(this.#key)} was given up`)
  }

  #assertTaken(ok: boolean): void {
    if (!ok) throw this.#noRoom()
  }

  /** What a change in another thread fenced counts as written and removed again. */
  #assertKept(ok: boolean, draft: Draft): void {
    if (draft.fenced !== true) this.#assertTaken(ok)
  }

  #noRoom(): TooLargeError | NoSpaceError {
    return noRoom(this.#key, Math.max(this.#size, this.#head.size ?? 0), this.#context.tier.store)
  }

  #wrongSize(how: 'more' | 'fewer'): TruncatedError {
    return wrongSize(this.#key, how, this.#head.size!)
  }
}

/** Why a store does not take a value of `size` bytes, or of more. */
export function noRoom(
  key: string,
  size: number,
  { name, maxItemBytes }: Pick<Store, 'name' | 'maxItemBytes'>,
): TooLargeError | NoSpaceError {
  if (size > maxItemBytes) {
    return new TooLargeError(
      `the value of ${showKey(key)} has ${size} bytes or more; the ${name} tier keeps values up to maxItemBytes, ${maxItemBytes}`,
    )
  }
  return new NoSpaceError(
    `the ${name} tier has no room for the ${size} bytes of ${showKey(key)}: what it holds is in use; try again, or raise maxBytes`,
  )
}

/** @throws `ERR_DREY_TRUNCATED` unless `length` is what was declared. */
export function assertSize(key: string, { size }: EntryHead, length: number): void {
  if (size !== undefined && size !== length) throw wrongSize(key, length > size ? 'more' : 'fewer', size)
}

export function wrongSize(key: string, how: 'more' | 'fewer', declared: number): TruncatedError {
  return new TruncatedError(
    `the value of ${showKey(key)} has ${how} than the ${declared} bytes that were declared`,
  )
}

const nothingMore = (): void => undefined

// The draft was never had: whoever writes or finishes is told why.
const toldLater = (): void => undefined
