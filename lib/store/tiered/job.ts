import { discardFrom } from '../around.js'
import type { Later, Metadata, Store, StoredEntry } from '../store.js'
import type { Together } from './together.js'

/** Where the value comes from that a tier is to have. */
export interface Source {
  /** Bytes of the value, as far as it is held until it is opened. */
  readonly heldBytes: number
  /** Opens it; who opened it releases it. Undefined when it is gone. */
  open(): Later<StoredEntry | undefined>
  /** It will not be opened. */
  drop(): void
}

/** What a tier is to do for a key. */
export type Want =
  | {
      readonly kind: 'delete'
      /** Nobody deleted the key: another tier has what is newer, or what the tier has is not known to be right. What is being written there stays. */
      readonly discards: boolean
    }
  | { readonly kind: 'write'; readonly source: Source }
  | { readonly kind: 'revise'; readonly metadata: Metadata }
  | {
      readonly kind: 'call'
      readonly call: () => Later<boolean>
      /** It is not made: something newer is wanted. */
      readonly giveUp: () => void
      readonly resolve: (done: boolean) => void
      readonly reject: (error: unknown) => void
    }

export const DELETE: Removal = { kind: 'delete', discards: false }
export const DISCARD: Removal = { kind: 'delete', discards: true }

/** Has `store` remove what it has of `key`; says whether there was something. */
export function removed(store: Store, key: string, { discards }: Removal): Later<boolean> {
  return discards ? discardFrom(store, key) : store.delete(key)
}

export type Removal = Extract<Want, { kind: 'delete' }>

/** Who waits for a job: is told whether the tier had an entry that was deleted, or why the job is not done. */
export interface JobWaiter {
  resolve(was: boolean): void
  reject(error: unknown): void
}

/** What is under way, or owed, for a key of a tier. */
export interface Job {
  readonly key: string
  /** What is to be done next. */
  want: Want | undefined
  /** Counts what was wanted: who began for an older one commits nothing. */
  version: number
  /** What the tier has for the key may be read. */
  valid: boolean
  running: boolean
  /** Waits for a call of the tier to succeed, because its delete failed. */
  parked: boolean
  /** So many changes of a tier above are being made: what the tier has is old as soon as they are. */
  holds: number
  /** What the last delete said. */
  was: boolean
  readonly waiters: JobWaiter[]
  /** Changes that it makes with other keys, before what is wanted: that is newer. */
  readonly together: Shared[]
}

/** A change that a job makes with others: `version` is the job's since it was asked for. */
export interface Shared {
  readonly together: Together
  readonly version: number
}

export function newJob(key: string, valid: boolean): Job {
  return {
    key,
    want: undefined,
    version: 0,
    valid,
    running: false,
    parked: false,
    holds: 0,
    was: false,
    waiters: [],
    together: [],
  }
}

/** Two calls, one after the other: who asked for the first is told of it, too. */
export function both(first: Extract<Want, { kind: 'call' }>, second: Extract<Want, { kind: 'call' }>): Want {
  const call = async (): Promise<boolean> => {
    try {
      first.resolve(await first.call())
    } catch (error) {
      first.reject(error)
    }
    return second.call()
  }
  const giveUp = (): void => {
    first.giveUp()
    second.giveUp()
  }
  return { ...second, call, giveUp }
}

/** Nobody is going to do `want`. */
export function giveUp(want: Want | undefined): void {
  if (want?.kind === 'write') want.source.drop()
  else if (want?.kind === 'call') want.giveUp()
}
