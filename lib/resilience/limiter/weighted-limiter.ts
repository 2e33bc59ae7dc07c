import type { Clock } from '../../clock.js'
import { showValue } from '../../config/validate.js'
import {
  abortedBy,
  ClosedError,
  ConfigError,
  type DreyError,
  OverloadedError,
  TimeoutError,
} from '../../errors.js'
import type { Later } from '../../store/store.js'
import { Deadlines } from './deadlines.js'
import { Held } from './held.js'
import type { Limiter, LimiterStats, OperationOptions } from './limiter.js'
import {
  assertFactor,
  type LimiterConfig,
  type LimiterPatch,
  levelOf,
  type OwnerOptions,
  patchLimiterConfig,
  readOwnerOptions,
  timeoutOf,
  weightOf,
} from './options.js'
import { type LimiterOwner, Owner, type Shared } from './owner.js'
import { HeldPermit, type Holdings, type Permit } from './permit.js'
import { anyOf, lastOfBelow, PRIORITIES, Schedule } from './schedule.js'
import { Signals } from './signals.js'
import { Waiter, type WaitingRoom, type Wanted } from './waiter.js'

const NO_OPTIONS: OperationOptions = {}

/**
 * Invariants, whenever it is left:
 * - What is held is at most what the limit was when the last permit was given, or that permit alone.
 * - Nobody waits while there is room for the one who is next.
 * - At most `queue` wait, or as many as did when it was configured to be less.
 * - A waiter is in the schedule, among the deadlines if it has one, and listens to its signal if it has one, exactly
 *   until it is granted or refused, once. Nobody's code is called meanwhile: promises tell them later.
 */
export class WeightedLimiter implements Limiter, Holdings, WaitingRoom, Shared {
  readonly name: string
  readonly signals = new Signals(() => this.#grantAll())
  readonly #clock: Clock
  readonly #schedule = new Schedule<Waiter>()
  readonly #deadlines: Deadlines
  readonly #held = new Held()
  /** Of the operations that name no owner. */
  readonly #nobody: Owner
  readonly #counts = {
    overdue: 0,
    granted: 0,
    refused: 0,
    displaced: 0,
    timedOut: 0,
    overran: 0,
    aborted: 0,
    closed: 0,
  }
  #config: LimiterConfig
  #factor = 1
  #limit: number
  #closed = false
  #longestWait = 0

  constructor(name: string, config: LimiterConfig, clock: Clock) {
    this.name = name
    this.#config = config
    this.#limit = config.concurrency
    this.#clock = clock
    this.#deadlines = new Deadlines(clock, () => this.#grantAll())
    this.#nobody = new Owner(this, name, { share: 1, queue: Number.POSITIVE_INFINITY })
  }

  run<T>(fn: (permit: Permit) => Later<T>, options: OperationOptions = NO_OPTIONS): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const begin = (permit: HeldPermit): void => hold(permit, fn, resolve, reject)
      const wanted = this.#read(options)
      const permit = this.#atOnce(wanted)
      if (permit !== undefined) begin(permit)
      // Else in a turn of its own: the slot is granted in the middle of what released it.
      else this.#wait(wanted, (later) => queueMicrotask(() => begin(later)), reject)
    })
  }

  acquire(options: OperationOptions = NO_OPTIONS): Promise<Permit> {
    return new Promise<Permit>((resolve, reject) => {
      const wanted = this.#read(options)
      const permit = this.#atOnce(wanted)
      if (permit !== undefined) resolve(permit)
      else this.#wait(wanted, resolve, reject)
    })
  }

  tryAcquire(options: OperationOptions = NO_OPTIONS): Permit | undefined {
    return this.#atOnce(this.#read(options))
  }

  owner(options: OwnerOptions = {}): LimiterOwner {
    const { name, config } = readOwnerOptions(options, this.name)
    return new Owner(this, name, config)
  }

  configure(patch: LimiterPatch): void {
    this.#config = patchLimiterConfig(this.#config, patch, this.name)
    this.#scale()
  }

  setFactor(factor: number): void {
    assertFactor(factor, this.name)
    this.#factor = factor
    this.#scale()
  }

  stats(): LimiterStats {
    const { concurrency, queue } = this.#config
    let longestWait = this.#longestWait
    const waiting = { low: 0, normal: 0, high: 0, critical: 0 }
    for (const [level, priority] of PRIORITIES.entries()) {
      waiting[priority] = this.#schedule.countAt(level)
      const oldest = this.#schedule.oldestAt(level)
      if (oldest !== undefined) longestWait = Math.max(longestWait, this.#clock.monotonic() - oldest.since)
    }
    return {
      concurrency,
      factor: this.#factor,
      limit: this.#limit,
      active: this.#held.weight,
      holders: this.#held.count,
      waiting,
      queue,
      ...this.#counts,
      longestWait,
    }
  }

  close(): Promise<void> {
    this.#closed = true
    const error = new ClosedError(`${this.name} was closed`)
    for (let waiter = this.#schedule.next(); waiter !== undefined; waiter = this.#schedule.next()) {
      this.#counts.closed += 1
      this.#refuse(waiter, error)
    }
    return this.#held.none()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  released(permit: HeldPermit): void {
    this.#deadlines.remove(permit)
    if (permit.overdue) this.#counts.overdue -= 1
    permit.owner.held.remove(permit.weight)
    this.#held.remove(permit.weight)
    this.#grantAll()
  }

  overran(): void {
    this.#counts.overdue += 1
    this.#counts.overran += 1
  }

  timedOut(waiter: Waiter): void {
    this.#counts.timedOut += 1
    const { waitTimeout } = waiter.wanted
    this.#refuse(
      waiter,
      new TimeoutError(
        `${this.name}.waitTimeout: waited ${waitTimeout} ms for a turn, which is all that it may; try again later, or raise it or ${this.name}.concurrency`,
      ),
    )
  }

  aborted(waiter: Waiter): void {
    this.#counts.aborted += 1
    this.#refuse(waiter, abortedBy(waiter.wanted.signal!, `waiting for a turn of ${this.name}`))
  }

  dismiss(owner: Owner, error: ClosedError): void {
    for (let waiter = anyOf(owner); waiter !== undefined; waiter = anyOf(owner)) {
      this.#counts.closed += 1
      this.#refuse(waiter, error)
    }
    this.#grantAll()
  }

  /** Checked, with what the limiter says where the options do not. @throws where it may have nothing */
  #read(options: OperationOptions): Wanted {
    const { name } = this
    const { waitTimeout, holdTimeout } = this.#config
    const wanted = {
      owner: this.#ownerOf(options.owner),
      level: levelOf(options.priority, name),
      weight: weightOf(options.weight, name),
      waitTimeout: timeoutOf(options.waitTimeout, 'waitTimeout', name, waitTimeout),
      holdTimeout: timeoutOf(options.holdTimeout, 'holdTimeout', name, holdTimeout),
      signal: options.signal,
    }
    if (this.#closed || wanted.owner.closed) {
      this.#counts.closed += 1
      throw new ClosedError(`${this.#closed ? name : wanted.owner.name} was closed`)
    }
    if (wanted.signal?.aborted) {
      this.#counts.aborted += 1
      throw abortedBy(wanted.signal, `an operation of ${name}`)
    }
    return wanted
  }

  #ownerOf(owner: LimiterOwner | undefined): Owner {
    if (owner === undefined) return this.#nobody
    if (owner instanceof Owner && owner.limiter === this) return owner
    const { name } = this
    const given = owner instanceof Owner ? `the owner ${owner.name} of another limiter` : showValue(owner)
    throw new ConfigError(`${name}.owner: got ${given}; want what owner() of ${name} gave`)
  }

  #fits(weight: number): boolean {
    return this.#held.weight + weight <= this.#limit || this.#held.count === 0
  }

  #atOnce(wanted: Wanted): HeldPermit | undefined {
    return this.#schedule.count === 0 && this.#fits(wanted.weight) ? this.#grant(wanted) : undefined
  }

  #grant(wanted: Wanted): HeldPermit {
    const endless = wanted.holdTimeout === Number.POSITIVE_INFINITY
    const permit = new HeldPermit(this, wanted, endless ? 0 : this.#clock.monotonic())
    if (!endless) this.#deadlines.add(permit)
    wanted.owner.held.add(wanted.weight)
    this.#held.add(wanted.weight)
    this.#counts.granted += 1
    return permit
  }

  #wait(wanted: Wanted, granted: (permit: HeldPermit) => void, refused: (error: DreyError) => void): void {
    const waiter = new Waiter(this, wanted, this.#clock.monotonic(), granted, refused)
    this.#schedule.add(waiter)
    wanted.owner.waiting += 1
    // It may be next, and fit where the one that was next does not.
    this.#grantAll()
    if (waiter.waits) this.#keepBounds(waiter)
    if (!waiter.waits) return
    this.#deadlines.add(waiter)
    if (wanted.signal !== undefined) this.signals.add(wanted.signal, waiter)
  }

  /** Of more waiters than there may be one goes: the last that has a lower priority, if it may be displaced, else who came. */
  #keepBounds(newest: Waiter): void {
    const { owner, level } = newest
    const { queue } = this.#config
    if (owner.waiting > owner.queue) {
      this.#overflow(lastOfBelow(owner, level) ?? newest, newest, owner.name, owner.queue)
    } else if (this.#schedule.count > queue) {
      this.#overflow(this.#schedule.lastBelow(level) ?? newest, newest, this.name, queue)
    }
  }

  #overflow(waiter: Waiter, newest: Waiter, name: string, queue: number): void {
    const displaced = waiter !== newest
    this.#counts.refused += 1
    if (displaced) this.#counts.displaced += 1
    const why = displaced
      ? `gave way to one of priority ${PRIORITIES[newest.level]}, because no more than ${queue} operations may wait`
      : `${queue} operations wait already, which is all that may`
    this.#refuse(waiter, new OverloadedError(`${name}.queue: ${why}; try again later, or raise it`))
    this.#grantAll()
  }

  #grantAll(): void {
    if (this.#closed) return
    for (let next = this.#schedule.next(); next !== undefined; next = this.#schedule.next()) {
      // Its abort is being told just now, to somebody who released a slot upon it.
      if (next.wanted.signal?.aborted) {
        this.aborted(next)
        continue
      }
      if (!this.#fits(next.weight)) return
      this.#schedule.grant(next)
      this.#leave(next)
      next.granted(this.#grant(next.wanted))
    }
  }

  #refuse(waiter: Waiter, error: DreyError): void {
    this.#schedule.remove(waiter)
    this.#leave(waiter)
    waiter.refused(error)
  }

  #leave(waiter: Waiter): void {
    waiter.waits = false
    waiter.owner.waiting -= 1
    this.#deadlines.remove(waiter)
    const { signal } = waiter.wanted
    if (signal !== undefined) this.signals.remove(signal, waiter)
    this.#longestWait = Math.max(this.#longestWait, this.#clock.monotonic() - waiter.since)
  }

  #scale(): void {
    const { concurrency } = this.#config
    // A product such as 90 × 0.7 is a little less than what it should be.
    const scaled = Math.floor(concurrency * this.#factor * (1 + 4 * Number.EPSILON))
    this.#limit = Math.min(concurrency, Math.max(1, scaled))
    this.#grantAll()
  }
}

/** Runs `fn` with its permit, which is released when what it gave has settled, and settles the call. */
function hold<T>(
  permit: HeldPermit,
  fn: (permit: Permit) => Later<T>,
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): void {
  let over = false
  permit.whenTold((error) => {
    over = true
    reject(error)
  })
  // The signal was aborted between grant and beginning.
  if (over) return permit.release()
  let result: Later<T>
  try {
    result = fn(permit)
  } catch (error) {
    permit.release()
    return reject(error)
  }
  Promise.resolve(result).then(
    (value) => {
      permit.release()
      resolve(value)
    },
    // Where the caller is gone already, nobody is left who could be told: it says nothing then.
    (error) => {
      permit.release()
      reject(error)
    },
  )
}
