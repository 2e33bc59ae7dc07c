import type { Draft, GrowingReads, Metadata } from '../../lib/store/store.js'
import { Flight, type Pass } from './shared-pass.js'
import type { SharedStore } from './shared-store.js'

/** An entry that is being written into a shared memory. */
export class SharedDraft implements Draft {
  fenced = false
  size = 0
  over = false
  readonly base: Draft
  readonly pass: Pass
  readonly growing: GrowingReads
  readonly #store: SharedStore

  private constructor(base: Draft, store: SharedStore, pass: Pass) {
    this.base = base
    this.pass = pass
    this.#store = store
    this.growing = new SharedReads(this, store)
    pass.written = this
  }

  static begin(
    key: string,
    size: number | undefined,
    store: SharedStore,
    pass: Pass,
  ): SharedDraft | undefined {
    const base = store.memory.base.draft(key, size) as Draft | undefined
    if (base !== undefined) return new SharedDraft(base, store, pass)
    if (!(pass instanceof Flight)) pass.end()
    return undefined
  }

  write(chunk: Uint8Array): boolean {
    this.#store.reach('write')
    const { pass } = this
    if (this.over) this.#store.misused('write: the draft is over')
    if (pass instanceof Flight && pass.over) this.#store.misused('write: the flight is over')
    if (!(this.base.write(chunk) as boolean)) return false
    this.size += chunk.length
    if (pass instanceof Flight && pass.draft === this) pass.tell()
    return true
  }

  commit(metadata: Metadata): boolean {
    this.#store.reach('commit')
    const { pass } = this
    const { memory } = this.#store
    if (this.over) this.#store.misused('commit: the draft is over')
    if (pass instanceof Flight && pass.over) this.#store.misused('commit: the flight is over')
    if (metadata.size !== this.size) this.#store.misused(`commit: ${metadata.size} said, ${this.size} there`)
    this.fenced = pass.fenced
    if (this.fenced || !(this.base.commit(metadata) as boolean)) {
      this.abort()
      return false
    }
    this.over = true
    memory.changed(pass.key)
    memory.fenceFills(pass.key, pass instanceof Flight ? pass.order : undefined)
    if (pass instanceof Flight) pass.finish('committed')
    else pass.end()
    return true
  }

  abort(): void {
    if (this.over) return
    this.over = true
    this.base.abort()
    if (this.pass instanceof Flight) this.pass.given()
    else this.pass.end()
  }
}

/** What one thread reads of a draft, its own or another's. */
export class SharedReads implements GrowingReads {
  readonly #draft: SharedDraft
  readonly #store: SharedStore
  #holds = 0

  constructor(draft: SharedDraft, store: SharedStore) {
    this.#draft = draft
    this.#store = store
  }

  read(target: Uint8Array, position: number): number {
    this.#assertThere('read')
    return this.#draft.base.growing!.read(target, position)
  }

  view(position: number): Uint8Array {
    this.#assertThere('view')
    return this.#draft.base.growing!.view(position)
  }

  hold(): () => void {
    this.#store.reach('hold')
    const release = this.#draft.base.growing!.hold()
    this.#holds += 1
    let held = true
    const letGo = (): void => {
      if (!held) return
      held = false
      this.#holds -= 1
      this.#store.held.delete(letGo)
      release()
    }
    this.#store.held.add(letGo)
    return letGo
  }

  #assertThere(call: string): void {
    if (this.#draft.over && this.#holds === 0) this.#store.misused(`${call}: of what is not held`)
  }
}
