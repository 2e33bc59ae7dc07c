import { type Clock, systemClock } from '../../clock.js'
import type { Later } from '../../store/store.js'
import { type LimiterOptions, type LimiterPatch, type OwnerOptions, readLimiterOptions } from './options.js'
import type { LimiterOwner } from './owner.js'
import type { Permit } from './permit.js'
import type { Priority } from './schedule.js'
import { WeightedLimiter } from './weighted-limiter.js'

export type { LimiterOptions, LimiterPatch, OwnerOptions, OwnerPatch } from './options.js'
export type { LimiterOwner } from './owner.js'
export type { Permit } from './permit.js'
export { PRIORITIES, type Priority } from './schedule.js'

/** What one operation asks for. */
export interface OperationOptions {
  /** Default `'normal'`. */
  readonly priority?: Priority | undefined
  /** How much of the concurrency it takes: whole, at least 1, which is the default. One that weighs more than all of it runs alone. */
  readonly weight?: number | undefined
  /** Whose operation it is, of those that this limiter made. Default: nobody's in particular, who are one owner with share 1. */
  readonly owner?: LimiterOwner | undefined
  /** Ends the wait. Of an operation that has begun, it ends the caller's wait and the permit's signal tells the operation. */
  readonly signal?: AbortSignal | undefined
  /** Milliseconds. Default: the limiter's. */
  readonly waitTimeout?: number | undefined
  /** Milliseconds. Default: the limiter's. */
  readonly holdTimeout?: number | undefined
}

/** `granted + refused + timedOut + aborted + closed`, and who waits, are all who asked. */
export interface LimiterStats {
  /** As configured. */
  readonly concurrency: number
  readonly factor: number
  /** What may be held just now: `concurrency` by `factor`, at least 1. */
  readonly limit: number
  /** The weight that is held. */
  readonly active: number
  /** How many hold it. */
  readonly holders: number
  /** Those of them that are past their time. */
  readonly overdue: number
  /** How many wait, of `queue` that may. */
  readonly waiting: Readonly<Record<Priority, number>>
  readonly queue: number
  readonly granted: number
  /** By `ERR_DREY_OVERLOADED`. */
  readonly refused: number
  /** Those of them that had waited, and gave way to a higher priority. */
  readonly displaced: number
  /** By `ERR_DREY_TIMEOUT` while they waited. */
  readonly timedOut: number
  /** How often a holder went past its time. */
  readonly overran: number
  /** By their own signal before they were granted anything. */
  readonly aborted: number
  /** By `ERR_DREY_CLOSED`. */
  readonly closed: number
  /** The longest that anybody waited so far, in milliseconds; those that wait now are counted. */
  readonly longestWait: number
}

/** Bounds what happens at a time, and says who is next. docs/reference/limiter.md is its specification. */
export interface Limiter {
  /**
   * Gives what `fn` gives. It is called at once where a slot is free, else when its turn has come, and holds the slot until
   * what it returned has settled or it released `permit`. Who asked is not kept by an operation that does not end:
   * past its `holdTimeout`, or when `signal` is aborted, the call rejects, and what `fn` gives later is dropped.
   *
   * @throws (rejects) what `fn` throws, `ERR_DREY_OVERLOADED`, `ERR_DREY_TIMEOUT`, `ERR_DREY_ABORTED`, `ERR_DREY_CLOSED`, `ERR_DREY_CONFIG`
   */
  run<T>(fn: (permit: Permit) => Later<T>, options?: OperationOptions): Promise<T>
  /** A permit, which must be released. @throws (rejects) as `run` */
  acquire(options?: OperationOptions): Promise<Permit>
  /**
   * A permit where a slot is free and nobody waits, else nothing. `priority` and `waitTimeout` mean nothing here.
   *
   * @throws `ERR_DREY_ABORTED`, `ERR_DREY_CLOSED`, `ERR_DREY_CONFIG`
   */
  tryAcquire(options?: OperationOptions): Permit | undefined
  /** One more who shares it. @throws `ERR_DREY_CONFIG` */
  owner(options?: OwnerOptions): LimiterOwner
  /** At once, for all but the timeouts of those that wait or hold already; nobody who waits is refused by it. @throws `ERR_DREY_CONFIG`, and changes nothing */
  configure(patch: LimiterPatch): void
  /** Scales the concurrency: above 0, at most 1. Nothing that is held is taken away. @throws `ERR_DREY_CONFIG`, and changes nothing */
  setFactor(factor: number): void
  stats(): LimiterStats
  /** Who waits, and who asks from now on, gets `ERR_DREY_CLOSED`. Resolves when nothing is held any more; whoever holds something is let finish. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do. */
export function createLimiter(options: LimiterOptions = {}, clock: Clock = systemClock): Limiter {
  const { name, config } = readLimiterOptions(options)
  return new WeightedLimiter(name, config, clock)
}
