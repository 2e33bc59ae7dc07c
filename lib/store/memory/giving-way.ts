/** How much is given up between two looks at the time. */
const STEP_BYTES = 2 ** 18
/** How long one turn of the event loop may be kept by it. */
const TURN_MS = 2

/**
 * Brings a store down to what it may use under pressure, a little in each turn of the event loop: to evict
 * hundreds of thousands of entries at once would keep every request waiting.
 *
 * Invariant: a turn is scheduled exactly while there is more to give up, and none after `stop`.
 */
export class GivingWay {
  readonly #step: (bytes: number) => boolean
  #next: NodeJS.Immediate | undefined

  /** @param step gives up to so many bytes; says whether no more need go */
  constructor(step: (bytes: number) => boolean) {
    this.#step = step
  }

  /** Begins, or goes on: what is wanted changed. */
  start(): void {
    if (this.#next === undefined) this.#turn()
  }

  /** As `start`, in the next turn: for who is called from within what the step calls. */
  startLater(): void {
    this.#next ??= setImmediate(this.#turn)
  }

  stop(): void {
    clearImmediate(this.#next)
    this.#next = undefined
  }

  readonly #turn = (): void => {
    this.#next = undefined
    const end = performance.now() + TURN_MS
    do {
      if (this.#step(STEP_BYTES)) return
    } while (performance.now() < end)
    this.startLater()
  }
}
