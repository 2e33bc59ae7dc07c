import { limitOption } from '../../config/schema.js'
import { type Duration, parseDuration } from '../../config/units.js'
import { validate } from '../../config/validate.js'
import { StoreAround } from '../around.js'
import { withoutFixed } from '../change.js'
import type {
  Draft,
  GrowingReads,
  Later,
  Metadata,
  Store,
  StoreChange,
  StoreContext,
  StoredEntry,
  StoreFacts,
  WholeValue,
} from '../store.js'
import { labelled, unlabelled } from './label.js'
import { TTL_STAYS } from './options.js'

/** Why a store with a name has none. */
export const SHARED_STORE =
  'ttl: the store is one that worker threads share, which give each other entries as they lie there; give a store without a name'

/**
 * A store that, as a tier, answers by itself for `ttl` with what came there; then the tiers below are asked, and the origin. The store must be new and
 * is this one's own from then on.
 *
 * @throws `ERR_DREY_CONFIG` for a ttl that is none, and for a store that worker threads share
 */
export function aging(store: Store, ttl: Duration): Store {
  return new AgingStore(store, parseDuration(validate(limitOption, ttl, 'ttl'))!)
}

/** Each entry has a label of when it came, so that nothing is kept beside the store. */
class AgingStore extends StoreAround implements Store {
  readonly set?: (key: string, bytes: Uint8Array, metadata: Metadata) => boolean
  readonly setLater?: (key: string, bytes: Uint8Array, metadata: Metadata) => Promise<boolean>
  readonly setAll?: (values: readonly WholeValue[]) => Later<boolean>
  readonly configure?: (patch: Readonly<Record<string, unknown>>) => StoreChange
  readonly #ttl: number
  #now: () => number = Date.now

  constructor(inner: Store, ttl: number) {
    super(inner, SHARED_STORE)
    this.#ttl = ttl
    if (inner.configure !== undefined) this.configure = (patch) => inner.configure!(this.#withoutTtl(patch))
    if (inner.set !== undefined) {
      this.set = (key, bytes, metadata) => inner.set!(key, bytes, this.#labelled(metadata))
    }
    if (inner.setLater !== undefined) {
      this.setLater = (key, bytes, metadata) => inner.setLater!(key, bytes, this.#labelled(metadata))
    }
    if (inner.setAll !== undefined) {
      this.setAll = (values) =>
        inner.setAll!(
          values.map(({ key, bytes, metadata }) => ({ key, bytes, metadata: this.#labelled(metadata) })),
        )
    }
  }

  override open(context: StoreContext): Later<void> {
    this.#now = () => context.now()
    return super.open(context)
  }

  find(key: string, peek?: boolean): Later<StoredEntry | undefined> {
    const found = this.inner.find(key, peek)
    return found instanceof Promise ? found.then(opened) : opened(found)
  }

  draft(key: string, size: number | undefined, user?: unknown): Later<Draft | undefined> {
    const draft = this.inner.draft(key, size, user)
    return draft instanceof Promise ? draft.then((begun) => this.#drafted(begun)) : this.#drafted(draft)
  }

  revise(key: string, entry: StoredEntry, metadata: Metadata): Later<boolean> {
    return this.inner.revise(key, entry instanceof AgingEntry ? entry.inner : entry, this.#labelled(metadata))
  }

  protected above(metadata: Metadata): Metadata {
    return unlabelled(metadata)
  }

  protected factsAbove(facts: StoreFacts): StoreFacts {
    return { ...facts, ttl: this.#ttl }
  }

  #withoutTtl(patch: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const own = { value: this.#ttl, read: parseDuration, why: TTL_STAYS }
    return withoutFixed(patch, { ttl: own }) as Readonly<Record<string, unknown>>
  }

  #labelled(metadata: Metadata): Metadata {
    return labelled(metadata, this.#now() + this.#ttl)
  }

  #drafted(draft: Draft | undefined): Draft | undefined {
    return draft && new AgingDraft(draft, (metadata) => this.#labelled(metadata))
  }
}

class AgingEntry implements StoredEntry {
  readonly metadata: Metadata
  readonly inner: StoredEntry
  readonly view?: (position: number) => Uint8Array
  readonly own?: () => Buffer

  constructor(inner: StoredEntry, metadata: Metadata) {
    this.inner = inner
    this.metadata = metadata
    if (inner.view !== undefined) this.view = (position) => inner.view!(position)
    if (inner.own !== undefined) this.own = () => inner.own!()
  }

  read(target: Uint8Array, position: number): Later<number> {
    return this.inner.read(target, position)
  }

  release(): void {
    this.inner.release()
  }
}

class AgingDraft implements Draft {
  readonly growing?: GrowingReads
  readonly #inner: Draft
  readonly #label: (metadata: Metadata) => Metadata

  constructor(inner: Draft, label: (metadata: Metadata) => Metadata) {
    this.#inner = inner
    this.#label = label
    if (inner.growing !== undefined) this.growing = inner.growing
  }

  get fenced(): boolean {
    return this.#inner.fenced === true
  }

  write(chunk: Uint8Array): Later<boolean> {
    return this.#inner.write(chunk)
  }

  commit(metadata: Metadata): Later<boolean> {
    return this.#inner.commit(this.#label(metadata))
  }

  abort(): void {
    this.#inner.abort()
  }
}

function opened(entry: StoredEntry | undefined): StoredEntry | undefined {
  if (entry === undefined) return undefined
  const metadata = unlabelled(entry.metadata)
  return metadata === entry.metadata ? entry : new AgingEntry(entry, metadata)
}
