import { Heap, type Heaped } from './heap.js'
import { Line, type Place } from './line.js'

/** From the one that gives way to the one that goes before all others. */
export const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const
export type Priority = (typeof PRIORITIES)[number]

/** How many grants a priority lets go to others before its turn has come, whoever else waits. The highest need not. */
export const PATIENCE: Readonly<Record<Priority, number>> = {
  low: 64,
  normal: 16,
  high: 4,
  critical: Number.POSITIVE_INFINITY,
}

/** Who waits. */
export interface Scheduled<W> {
  readonly owner: Party<W>
  /** Index into `PRIORITIES`. */
  readonly level: number
  readonly weight: number
  readonly inFlow: Place<W>
  readonly inLevel: Place<W>
}

/** Whose waiters share with those of others. */
export interface Party<W> {
  /** Of what several that wait are granted, this one gets so many parts. Whole and positive. */
  readonly share: number
  /** By level; made when they are needed. */
  readonly flows: Array<Flow<W> | undefined>
}

/** Those of one owner who wait at one level, first come first. */
export class Flow<W> implements Heaped {
  readonly party: Party<W>
  readonly line = new Line<W>()
  at = -1
  /** What it was granted, in weight for each part of its share, and what it missed because it did not wait. */
  pass = 0
  /** Orders those of equal pass: who came, or was granted, earlier. */
  since = 0
  /** The busy period of the level that `pass` is of. */
  period = -1

  constructor(party: Party<W>) {
    this.party = party
  }
}

/** Those who wait with one priority. */
class Level<W> {
  readonly patience: number
  readonly line = new Line<W>()
  readonly flows = new Heap<Flow<W>>((a, b) => a.pass < b.pass || (a.pass === b.pass && a.since < b.since))
  count = 0
  /** The number of grants from which on its turn has come. */
  due = 0
  /** The pass of the flow that was granted last: where one that begins to wait begins. */
  pass = 0
  /** Counts what `since` of the flows is. */
  clock = 0
  /** Busy periods that are over. */
  period = 0

  constructor(patience: number) {
    this.patience = patience
  }
}

/**
 * Who is next. Knows nothing of time, slots and promises.
 *
 * The highest priority that somebody waits with is next, unless the turn of a lower one has come: every grant that
 * passes over a level ages it, and one that let `PATIENCE` grants pass is due. Of several that are due, the one that is
 * so for longest is next. Within a level it is the owner that was granted the least for its share, by start-time fair
 * queueing (P. Goyal, H. Vin, H. Cheng, 1996); of that owner it is who came first.
 *
 * Bound: as long as somebody waits at a level, at most `PATIENCE` + 2 grants in a row go to others. Proof: after
 * `PATIENCE` it is due, and only levels that are due for longer go before it; there are three with a patience, each of the other
 * two goes once, and is due later than this one afterwards. Between two owners that both wait at one level all the time,
 * what they were granted differs, per part of their shares, by at most one operation of each.
 *
 * O(1) in the number of those who wait, O(log n) in the number of owners that wait at a level.
 *
 * Invariants: a flow is in the heap of its level exactly while somebody is in it; it has then the level's period and no
 * lower pass than the level. A period ends when nobody waits at the level; all owners are equal then. `count` is the
 * sum of the counts of the levels.
 */
export class Schedule<W extends Scheduled<W>> {
  readonly #levels = PRIORITIES.map((priority) => new Level<W>(PATIENCE[priority]))
  #grants = 0
  #count = 0

  get count(): number {
    return this.#count
  }

  /** How many wait at a level. */
  countAt(level: number): number {
    return this.#levels[level]!.count
  }

  /** Who came first of those who wait at a level. */
  oldestAt(level: number): W | undefined {
    return this.#levels[level]!.line.oldest?.item
  }

  /** Who came last with the lowest priority below `level` that several wait with. The first of a level has a claim to its turn. */
  lastBelow(level: number): W | undefined {
    return this.#levels.find(({ count }, at) => at < level && count > 1)?.line.newest?.item
  }

  add(waiter: W): void {
    const { owner } = waiter
    const level = this.#levels[waiter.level]!
    if (level.count === 0) level.due = this.#grants + level.patience
    owner.flows[waiter.level] ??= new Flow(owner)
    const flow = owner.flows[waiter.level]!
    if (flow.at < 0) {
      // Who did not wait has no claim on what was granted meanwhile.
      flow.pass = flow.period === level.period ? Math.max(flow.pass, level.pass) : level.pass
      flow.period = level.period
      level.clock += 1
      flow.since = level.clock
      level.flows.push(flow)
    }
    flow.line.add(waiter.inFlow)
    level.line.add(waiter.inLevel)
    level.count += 1
    this.#count += 1
  }

  /** Who is granted next. */
  next(): W | undefined {
    return this.#turn()?.flows.first?.line.oldest?.item
  }

  /** Takes out who is next: it is granted. */
  grant(next: W): void {
    const level = this.#levels[next.level]!
    const flow = next.owner.flows[next.level]!
    this.#grants += 1
    level.due = this.#grants + level.patience
    level.pass = flow.pass
    level.clock += 1
    flow.pass += next.weight / flow.party.share
    flow.since = level.clock
    level.flows.moved(flow)
    this.remove(next)
  }

  /** Takes out one who waits, wherever it is. It is charged with nothing. */
  remove(waiter: W): void {
    const level = this.#levels[waiter.level]!
    const flow = waiter.owner.flows[waiter.level]!
    flow.line.remove(waiter.inFlow)
    level.line.remove(waiter.inLevel)
    if (flow.line.oldest === undefined) level.flows.remove(flow)
    level.count -= 1
    this.#count -= 1
    if (level.count > 0) return
    // Passes begin anew, so that they stay small numbers, which count exactly.
    level.period += 1
    level.pass = 0
  }

  #turn(): Level<W> | undefined {
    let turn: Level<W> | undefined
    for (let at = PRIORITIES.length - 1; at >= 0; at -= 1) {
      const level = this.#levels[at]!
      if (level.count === 0) continue
      if (turn === undefined || (level.due <= this.#grants && level.due < turn.due)) turn = level
    }
    return turn
  }
}

/** As `lastBelow` of the schedule, among those of `party`. */
export function lastOfBelow<W>({ flows }: Party<W>, level: number): W | undefined {
  return flows.find((flow, at) => at < level && flow?.line.oldest !== flow?.line.newest)?.line.newest?.item
}

/** One of those of `party` who wait. */
export function anyOf<W>({ flows }: Party<W>): W | undefined {
  return flows.find((flow) => flow?.line.oldest !== undefined)?.line.oldest?.item
}
