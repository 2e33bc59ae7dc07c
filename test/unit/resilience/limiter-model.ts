import { PRIORITIES, type Priority } from '../../../lib/resilience/limiter/limiter.js'
import { PATIENCE } from '../../../lib/resilience/limiter/schedule.js'

/*
 * What docs/reference/limiter.md says, as plainly as it can be written: lists that are scanned, and no promise, timer
 * or heap. The limiter must do the same on the same calls.
 */

export type Fate =
  | 'granted'
  | 'ERR_DREY_OVERLOADED'
  | 'ERR_DREY_TIMEOUT'
  | 'ERR_DREY_ABORTED'
  | 'ERR_DREY_CLOSED'

export interface ModelOwner {
  share: number
  queue: number
  closed: boolean
}

export interface Asked {
  readonly id: number
  readonly owner: ModelOwner
  readonly priority: Priority
  readonly weight: number
  readonly waitTimeout: number
  readonly holdTimeout: number
}

interface Waiting extends Asked {
  readonly deadline: number
}

interface Holding extends Asked {
  readonly deadline: number
  overdue: boolean
}

/** What an owner was given at a level, for each part of its share. */
interface Standing {
  pass: number
  since: number
}

/** What the schedule needs to know of who waits. */
export interface Entrant<O> {
  readonly id: number
  readonly owner: O
  readonly priority: Priority
  readonly weight: number
}

export class ModelSchedule<O extends { share: number }, W extends Entrant<O>> {
  /** In the order in which they came. */
  waiting: W[] = []
  /** Levels of the grants, in order. */
  readonly #grants: Priority[] = []
  /** How many grants there were when somebody began to wait at a level where nobody did. */
  readonly #began = new Map<Priority, number>()
  readonly #standings = new Map<Priority, Map<O, Standing>>()
  readonly #passes = new Map<Priority, number>()
  #clock = 0

  add(waiter: W): void {
    const { priority, owner } = waiter
    const atLevel = this.waiting.filter((one) => one.priority === priority)
    if (atLevel.length === 0) {
      this.#began.set(priority, this.#grants.length)
      this.#standings.set(priority, new Map())
      this.#passes.set(priority, 0)
    }
    if (!atLevel.some((one) => one.owner === owner)) {
      const standings = this.#standings.get(priority)!
      const before = standings.get(owner)?.pass ?? 0
      this.#clock += 1
      standings.set(owner, { pass: Math.max(before, this.#passes.get(priority)!), since: this.#clock })
    }
    this.waiting.push(waiter)
  }

  remove({ id }: { readonly id: number }): void {
    this.waiting = this.waiting.filter((one) => one.id !== id)
  }

  next(): W | undefined {
    const levels = PRIORITIES.toReversed().filter((level) =>
      this.waiting.some(({ priority }) => priority === level),
    )
    const due = levels.filter((level) => this.#pastTurn(level) >= 0)
    // Sorting is stable: of two that are due for as long, the higher stays first.
    const [turn] = due.length > 0 ? due.toSorted((a, b) => this.#pastTurn(b) - this.#pastTurn(a)) : levels
    if (turn === undefined) return undefined
    const standings = this.#standings.get(turn)!
    const [first] = this.waiting
      .filter(({ priority }) => priority === turn)
      .toSorted((a, b) => {
        const [one, other] = [standings.get(a.owner)!, standings.get(b.owner)!]
        return one.pass - other.pass || one.since - other.since
      })
    return first
  }

  grant(next: W): void {
    const { priority, owner, weight } = next
    const standing = this.#standings.get(priority)!.get(owner)!
    this.#passes.set(priority, standing.pass)
    standing.pass += weight / owner.share
    this.#clock += 1
    standing.since = this.#clock
    this.#grants.push(priority)
    this.remove(next)
  }

  /** Who came last of the lowest priority below `priority` that several of those wait with that `among` says. */
  lastBelow(priority: Priority, among: (waiter: W) => boolean): W | undefined {
    for (const lower of PRIORITIES.slice(0, PRIORITIES.indexOf(priority))) {
      const there = this.waiting.filter((one) => one.priority === lower && among(one))
      if (there.length > 1) return there.at(-1)
    }
    return undefined
  }

  /** By how many grants a level is past its turn; negative: its turn has not come. */
  #pastTurn(priority: Priority): number {
    const last = this.#grants.lastIndexOf(priority)
    return this.#grants.length - Math.max(this.#began.get(priority)!, last + 1) - PATIENCE[priority]
  }
}

export class ModelLimiter {
  readonly fates: Array<readonly [number, Fate]> = []
  readonly counts = {
    granted: 0,
    refused: 0,
    displaced: 0,
    timedOut: 0,
    overran: 0,
    aborted: 0,
    closed: 0,
  }
  holding: Holding[] = []
  concurrency: number
  queue: number
  factor = 1
  closed = false
  now = 0
  readonly #schedule = new ModelSchedule<ModelOwner, Waiting>()

  constructor(concurrency: number, queue: number) {
    this.concurrency = concurrency
    this.queue = queue
  }

  get waiting(): readonly Waiting[] {
    return this.#schedule.waiting
  }

  get limit(): number {
    return Math.max(1, Math.floor(Number((this.concurrency * this.factor).toFixed(6))))
  }

  get active(): number {
    return this.holding.reduce((sum, { weight }) => sum + weight, 0)
  }

  ask(asked: Asked, aborted: boolean): void {
    if (this.closed || asked.owner.closed) return this.#end(asked, 'ERR_DREY_CLOSED')
    if (aborted) return this.#end(asked, 'ERR_DREY_ABORTED')
    if (this.waiting.length === 0 && this.#fits(asked)) return this.#hold(asked)
    this.#schedule.add({ ...asked, deadline: this.now + asked.waitTimeout })
    this.#grantAll()
    if (!this.waiting.some(({ id }) => id === asked.id)) return
    const mine = (one: Waiting): boolean => one.owner === asked.owner
    if (this.waiting.filter(mine).length > asked.owner.queue) this.#overflow(asked, mine)
    else if (this.waiting.length > this.queue) this.#overflow(asked, () => true)
  }

  /** Whether it was given at once. */
  tryAsk(asked: Asked): boolean {
    if (this.waiting.length > 0 || !this.#fits(asked)) return false
    this.#hold(asked)
    return true
  }

  release(id: number): void {
    this.holding = this.holding.filter((held) => held.id !== id)
    this.#grantAll()
  }

  abort(id: number): void {
    const waiter = this.waiting.find((one) => one.id === id)
    if (waiter === undefined) return
    this.#end(waiter, 'ERR_DREY_ABORTED')
    this.#grantAll()
  }

  configure(patch: { concurrency?: number; queue?: number; factor?: number }): void {
    Object.assign(this, patch)
    this.#grantAll()
  }

  advance(ms: number): void {
    const end = this.now + ms
    for (;;) {
      const pending = this.holding.filter(({ overdue }) => !overdue)
      const next = Math.min(...[...this.waiting, ...pending].map(({ deadline }) => deadline))
      if (next > end) break
      this.now = next
      for (const held of pending.filter(({ deadline }) => deadline <= next)) {
        held.overdue = true
        this.counts.overran += 1
      }
      for (const waiter of this.waiting.filter(({ deadline }) => deadline <= next)) {
        this.#end(waiter, 'ERR_DREY_TIMEOUT')
      }
      this.#grantAll()
    }
    this.now = end
  }

  closeOwner(owner: ModelOwner): void {
    owner.closed = true
    for (const waiter of this.waiting.filter((one) => one.owner === owner))
      this.#end(waiter, 'ERR_DREY_CLOSED')
    this.#grantAll()
  }

  close(): void {
    this.closed = true
    for (const waiter of [...this.waiting]) this.#end(waiter, 'ERR_DREY_CLOSED')
  }

  #fits({ weight }: Asked): boolean {
    return this.holding.length === 0 || this.active + weight <= this.limit
  }

  #grantAll(): void {
    if (this.closed) return
    for (
      let next = this.#schedule.next();
      next !== undefined && this.#fits(next);
      next = this.#schedule.next()
    ) {
      this.#schedule.grant(next)
      this.#hold(next)
    }
  }

  #hold(asked: Asked): void {
    this.counts.granted += 1
    this.fates.push([asked.id, 'granted'])
    this.holding.push({ ...asked, deadline: this.now + asked.holdTimeout, overdue: false })
  }

  #overflow(asked: Asked, among: (waiter: Waiting) => boolean): void {
    const last = this.#schedule.lastBelow(asked.priority, among) ?? asked
    if (last.id !== asked.id) this.counts.displaced += 1
    this.#end(last, 'ERR_DREY_OVERLOADED')
    this.#grantAll()
  }

  #end(asked: Asked, fate: Exclude<Fate, 'granted'>): void {
    this.#schedule.remove(asked)
    this.fates.push([asked.id, fate])
    if (fate === 'ERR_DREY_OVERLOADED') this.counts.refused += 1
    else if (fate === 'ERR_DREY_TIMEOUT') this.counts.timedOut += 1
    else if (fate === 'ERR_DREY_ABORTED') this.counts.aborted += 1
    else this.counts.closed += 1
  }
}
