import type { Clock, Timer } from '../clock.js'
import type { Magazine } from './magazine.js'
import type { Slab } from './slab.js'

/** Ticks that `maxIdle` is divided into: idle memory is found between one and one and a quarter of it after its last use. */
export const TICKS = 8
/** What is left of a class's target at the next tick, when less is used. */
const DECAY = 0.9
/** A tick is never shorter, in milliseconds. */
const SHORTEST = 50

/**
 * The slabs of a class that nobody used for long and that usage does not ask for. The target is the most slots that were out at once,
 * a maximum that decays: what a burst needed goes back some minutes after it, not between two of them.
 */
export function surplusOf(magazine: Magazine, now: number): Slab[] {
  magazine.fold()
  magazine.target = Math.max(magazine.peak, Math.floor(magazine.target * DECAY))
  magazine.peak = 0
  if (magazine.wasUsed()) magazine.usedAt = now
  for (const slab of magazine.slabs) slab.newest = Number.NEGATIVE_INFINITY
  for (let at = 0; at < magazine.count; at += 1) {
    const { slab, since } = magazine.idle[at]!
    slab.newest = Math.max(slab.newest, since)
  }
  // What was put back during a tick is as old as that tick is at least; so one more is waited for.
  const old = magazine.slabs.filter(({ out, lost, newest }) => out === lost && now - newest > TICKS)
  old.sort((a, b) => a.newest - b.newest)
  const surplus: Slab[] = []
  let left = magazine.slots
  for (const slab of old) {
    left -= slab.cut - slab.lost
    if (left < magazine.target) break
    surplus.push(slab)
  }
  return surplus
}

/** Whether so much more is idle than is wanted that slabs should come to lie idle whole. */
export function worthGathering(magazine: Magazine): boolean {
  const [slab] = magazine.slabs
  return slab !== undefined && magazine.slabs.length > 1 && magazine.slots - magazine.target >= slab.cut
}

/** Ticks while there is something that can grow old. Not a reason for the process to stay. */
export class Ageing {
  readonly #clock: Clock
  readonly #period: number
  readonly #tick: () => boolean
  #timer: Timer | undefined

  /** @param tick says whether there is to be another one */
  constructor(clock: Clock, maxIdle: number, tick: () => boolean) {
    this.#clock = clock
    this.#period = Math.max(maxIdle / TICKS, SHORTEST)
    this.#tick = tick
  }

  start(): void {
    if (this.#period === Number.POSITIVE_INFINITY) return
    this.#timer ??= this.#clock.after(this.#period, this.#fire)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  readonly #fire = (): void => {
    this.#timer = undefined
    if (this.#tick()) this.start()
  }
}
