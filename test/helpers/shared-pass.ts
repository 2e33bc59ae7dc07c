import type { FlightState } from '../../lib/store/store.js'
import type { SharedDraft } from './shared-draft.js'
import type { Followed } from './shared-flight.js'
import type { SharedStore } from './shared-store.js'

/*
 * What is in flight in a shared memory, and may commit as long as it is not fenced.
 */

/** The right to commit under a key. */
export class Pass {
  readonly key: string
  readonly owner: SharedStore
  readonly order: number
  fenced = false
  /** What is written under this pass. */
  written: SharedDraft | undefined

  constructor(key: string, owner: SharedStore) {
    this.key = key
    this.owner = owner
    this.order = owner.memory.next()
    owner.memory.passes.add(this)
  }

  /** The owner's thread is gone. */
  lose(): void {
    this.end()
    this.written?.abort()
  }

  end(): void {
    this.owner.memory.passes.delete(this)
    this.fenced = true
  }
}

export class Flight extends Pass {
  readonly alone: boolean
  /** How many invalidations by tag there had been. */
  readonly began: number
  readonly followers = new Set<Followed>()
  state: FlightState['kind'] = 'asking'
  note = ''
  atEnd: string | undefined
  draft: SharedDraft | undefined
  wanted = false
  onAlone: (() => void) | undefined

  constructor(key: string, owner: SharedStore, alone: boolean) {
    super(key, owner)
    this.alone = alone
    this.began = owner.memory.tags.sequence
  }

  get over(): boolean {
    return this.state !== 'asking' && this.state !== 'growing'
  }

  get size(): number {
    return this.draft?.size ?? 0
  }

  finish(state: FlightState['kind'], note = ''): void {
    if (this.over) return
    this.state = state
    this.note = note
    this.end()
    this.tell()
  }

  /** Its draft ended without being committed. */
  given(): void {
    if (this.atEnd === undefined) this.finish('lost')
    else this.finish('ended', this.atEnd)
  }

  override lose(): void {
    this.finish('lost')
    this.written?.abort()
  }

  tell(): void {
    for (const follower of this.followers) follower.news()
  }

  left(follower: Followed, wanted: boolean): void {
    this.followers.delete(follower)
    if (wanted) this.wanted = true
    if (this.followers.size > 0) return
    this.owner.deliver(() => {
      if (!this.over) this.onAlone?.()
    })
  }
}
