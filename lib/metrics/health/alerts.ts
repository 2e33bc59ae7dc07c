import type { AlertId, Limits } from './rules.js'

export type AlertLevel = 'amber' | 'red'

/** The event `alert`: something went wrong, got worse or better, or is over. */
export interface AlertEvent {
  /** `raised`: it begins, or its level is another one. `cleared`: it is over. */
  readonly state: 'raised' | 'cleared'
  readonly id: AlertId
  /** Of one that is cleared, the one that it had. */
  readonly level: AlertLevel
  /** In a sentence; of one that is cleared, why it was raised. */
  readonly reason: string
  readonly value: number
  /** What `value` reached; of one that is cleared, what it fell below, or nobody asked any more. */
  readonly threshold: number
}

/** An alert that is raised. */
export interface RaisedAlert extends Omit<AlertEvent, 'state'> {
  /** Epoch milliseconds. */
  readonly since: number
}

interface Watched {
  raised: RaisedAlert | undefined
  /** Windows in a row at the amber threshold or above, at the red one or above, and below the level that is raised. */
  amber: number
  red: number
  calm: number
}

/**
 * The alerts of a cache.
 *
 * Invariant: each change of an alert is told once; what is told as cleared was told as raised before.
 */
export class Alerts {
  readonly #now: () => number
  readonly #tell: (event: AlertEvent) => void
  readonly #byId = new Map<AlertId, Watched>()

  /** @param now epoch milliseconds */
  constructor(now: () => number, tell: (event: AlertEvent) => void) {
    this.#now = now
    this.#tell = tell
  }

  raised(): RaisedAlert[] {
    const all: RaisedAlert[] = []
    for (const { raised } of this.#byId.values()) if (raised !== undefined) all.push(raised)
    return all
  }

  /** A window ended with that value: raised after `raiseAfter` of them, cleared, or amber again, after `clearAfter`. */
  window(
    id: AlertId,
    value: number,
    reason: string,
    { amber, red }: Limits,
    { raiseAfter, clearAfter }: { readonly raiseAfter: number; readonly clearAfter: number },
  ): void {
    const one = this.#of(id)
    one.amber = value >= amber ? one.amber + 1 : 0
    one.red = value >= red ? one.red + 1 : 0
    const level = one.raised?.level
    if (level !== 'red' && one.red >= raiseAfter) return this.#raise(one, id, 'red', reason, value, red)
    if (level === undefined) {
      if (one.amber >= raiseAfter) this.#raise(one, id, 'amber', reason, value, amber)
      return
    }
    const isCalmer = value < (level === 'red' ? red : amber)
    one.calm = isCalmer ? one.calm + 1 : 0
    if (isCalmer && one.calm < clearAfter) return
    if (!isCalmer) {
      one.raised = { ...one.raised!, value, reason }
      return
    }
    // All of them may have been above amber, which is a calmer level of the same alert.
    if (level === 'red' && one.amber >= clearAfter) return this.#raise(one, id, 'amber', reason, value, amber)
    this.#clear(one, id, value)
  }

  /**
   * A window ended that says nothing: it raises nothing, and counts as calm. A process that is out of the load balancer because it fails is asked
   * nothing any more, and would stay out for good.
   */
  quiet(id: AlertId, { clearAfter }: { readonly clearAfter: number }): void {
    const one = this.#of(id)
    if (one.raised === undefined) return
    one.calm += 1
    if (one.calm < clearAfter) return
    one.amber = 0
    one.red = 0
    this.#clear(one, id, one.raised.value)
  }

  /** How something is that is known at once; undefined: well. */
  state(
    id: AlertId,
    is:
      | {
          readonly level: AlertLevel
          readonly reason: string
          readonly value: number
          readonly threshold: number
        }
      | undefined,
    value: number,
  ): void {
    const one = this.#of(id)
    if (is === undefined) {
      if (one.raised !== undefined) this.#clear(one, id, value)
    } else if (one.raised?.level !== is.level) {
      this.#raise(one, id, is.level, is.reason, is.value, is.threshold)
    } else one.raised = { ...one.raised, ...is }
  }

  #raise(
    one: Watched,
    id: AlertId,
    level: AlertLevel,
    reason: string,
    value: number,
    threshold: number,
  ): void {
    one.raised = { id, level, reason, value, threshold, since: one.raised?.since ?? this.#now() }
    one.calm = 0
    this.#tell({ state: 'raised', id, level, reason, value, threshold })
  }

  #clear(one: Watched, id: AlertId, value: number): void {
    const { level, reason, threshold } = one.raised!
    one.raised = undefined
    one.calm = 0
    this.#tell({ state: 'cleared', id, level, reason, value, threshold })
  }

  #of(id: AlertId): Watched {
    let one = this.#byId.get(id)
    if (one === undefined) {
      one = { raised: undefined, amber: 0, red: 0, calm: 0 }
      this.#byId.set(id, one)
    }
    return one
  }
}
