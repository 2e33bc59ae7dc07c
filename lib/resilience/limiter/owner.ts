import { ClosedError } from '../../errors.js'
import { Held } from './held.js'
import { type OwnerConfig, type OwnerPatch, patchOwnerConfig } from './options.js'
import type { Flow, Party } from './schedule.js'
import type { Waiter } from './waiter.js'

/** One of those who share a limiter, such as a cache of a group. Needs no close: it is forgotten when nobody refers to it. */
export interface LimiterOwner {
  /** Changes what it is granted from now on. @throws `ERR_DREY_CONFIG`, and changes nothing */
  configure(patch: OwnerPatch): void
  /** The weight that its operations hold, and how many of them wait. */
  stats(): { readonly active: number; readonly waiting: number }
  /** Its operations that wait get `ERR_DREY_CLOSED`, and so do those to come. Resolves when none of them holds anything. */
  close(): Promise<void>
}

/** The limiter that owners share. */
export interface Shared {
  readonly name: string
  /** Ends the wait of all waiters of `owner`. */
  dismiss(owner: Owner, error: ClosedError): void
}

/** Invariant: `waiting` is how many waiters its flows have. */
export class Owner implements LimiterOwner, Party<Waiter> {
  readonly limiter: Shared
  readonly name: string
  readonly flows: Array<Flow<Waiter> | undefined> = [undefined, undefined, undefined, undefined]
  readonly held = new Held()
  waiting = 0
  closed = false
  #config: OwnerConfig

  constructor(limiter: Shared, name: string, config: OwnerConfig) {
    this.limiter = limiter
    this.name = name
    this.#config = config
  }

  get share(): number {
    return this.#config.share
  }

  get queue(): number {
    return this.#config.queue
  }

  configure(patch: OwnerPatch): void {
    this.#config = patchOwnerConfig(this.#config, patch, this.name)
  }

  stats(): { readonly active: number; readonly waiting: number } {
    return { active: this.held.weight, waiting: this.waiting }
  }

  close(): Promise<void> {
    this.closed = true
    this.limiter.dismiss(this, new ClosedError(`${this.name} was closed`))
    return this.held.none()
  }
}
