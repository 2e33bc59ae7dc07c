import { GivingWay } from '../giving-way.js'
import type { MemoryStore } from '../memory-store.js'
import type { NativeStore } from './host.js'
import type { PolicyHost } from './policy-host.js'

/** What `memoryPress` calls all of the bound. */
const WHOLE = 1000
/** No pressure takes a store below it: 1 MiB. */
const LEAST_BYTES = 2 ** 20

/** Brings a native store down to the part of its bound that it may use, a little at a time, and lets it grow back. */
export class Press {
  readonly #store: NativeStore & Pick<MemoryStore, 'stats'>
  /** Who decides, where that is not the addon. */
  readonly #host: () => PolicyHost | undefined
  readonly #givingWay = new GivingWay((bytes) => this.#giveWay(bytes))
  #part = WHOLE

  constructor(store: NativeStore & Pick<MemoryStore, 'stats'>, host: () => PolicyHost | undefined) {
    this.#store = store
    this.#host = host
  }

  /** The store may use `factor` of its bound. */
  to(factor: number): void {
    this.#part = Math.max(1, Math.round(factor * WHOLE))
    // Of a policy that says so while it is asked who goes, nothing more can be asked now.
    if (this.#host()?.running === true) this.#givingWay.startLater()
    else this.#givingWay.start()
  }

  stop(): void {
    this.#givingWay.stop()
  }

  #giveWay(bytes: number): boolean {
    const store = this.#store
    store.beforeChange()
    // What the policy gave up is withheld without a word of the addon, which knows only who came first.
    const wanted = this.#yields(bytes) ? 0 : bytes
    const done = store.closed || store.thread.addon.memoryPress(store.id, this.#part, wanted)
    store.afterChange()
    return done || store.closed
  }

  /** Has the policy of the user's own give up to `bytes`; whether it gave anything. */
  #yields(bytes: number): boolean {
    const host = this.#host()
    if (host?.active !== true) return false
    const { bytes: before, maxBytes } = this.#store.stats()
    host.shrink(Math.max(before - bytes, LEAST_BYTES, Math.floor((maxBytes * this.#part) / WHOLE)))
    return this.#store.stats().bytes < before
  }
}
