import type { DreyError } from '../../errors.js'
import type { Timed } from './deadlines.js'
import { Place } from './line.js'
import type { Owner } from './owner.js'
import type { HeldPermit } from './permit.js'
import type { Scheduled } from './schedule.js'
import type { Listening } from './signals.js'

/** What is asked for. */
export interface Wanted {
  readonly owner: Owner
  readonly level: number
  readonly weight: number
  readonly waitTimeout: number
  readonly holdTimeout: number
  readonly signal: AbortSignal | undefined
}

/** Where they wait. */
export interface WaitingRoom {
  timedOut(waiter: Waiter): void
  aborted(waiter: Waiter): void
}

/** One who waits. Leaves by `granted` or by `refused`, once. */
export class Waiter implements Scheduled<Waiter>, Timed, Listening {
  readonly owner: Owner
  readonly level: number
  readonly weight: number
  readonly wanted: Wanted
  /** On the monotonic clock, as is the deadline. */
  readonly since: number
  readonly deadline: number
  readonly granted: (permit: HeldPermit) => void
  readonly refused: (error: DreyError) => void
  readonly inFlow = new Place<Waiter>(this)
  readonly inLevel = new Place<Waiter>(this)
  at = -1
  waits = true
  readonly #room: WaitingRoom

  constructor(
    room: WaitingRoom,
    wanted: Wanted,
    since: number,
    granted: (permit: HeldPermit) => void,
    refused: (error: DreyError) => void,
  ) {
    this.#room = room
    this.owner = wanted.owner
    this.level = wanted.level
    this.weight = wanted.weight
    this.wanted = wanted
    this.since = since
    this.deadline = since + wanted.waitTimeout
    this.granted = granted
    this.refused = refused
  }

  onDeadline(): void {
    this.#room.timedOut(this)
  }

  onAbort(): void {
    this.#room.aborted(this)
  }
}
