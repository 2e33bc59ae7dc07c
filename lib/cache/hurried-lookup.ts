import type { Clock, Timer } from '../clock.js'
import type { UsualTime } from './usual-time.js'

/** A tier may always take so long, however fast the origin is: less is within what the event loop may be late by. */
export const LEAST_MS = 20
/** Of what the origin takes, a lookup may take this part: timers are late, and the two together are to be within twice the origin's time. */
export const PART = 0.75
/** How long a lookup may take while nobody knows how long the origin does. */
export const UNKNOWN_MS = 100

/** How long a lookup may take before the origin is asked, in milliseconds: `asked`, or less than the origin usually takes. */
export function lookupLimit(asked: number | undefined, origin: UsualTime): number {
  if (asked !== undefined) return asked
  return origin.middle === undefined ? UNKNOWN_MS : Math.max(LEAST_MS, PART * origin.middle)
}

/** It took longer. */
export const LATE: unique symbol = Symbol('late')

/**
 * What `coming` gives, or `LATE` once it has taken longer than `ms`. Never rejects if `coming` never does.
 *
 * A slow tier must not make an answer slower than its origin would have been (I3): who has waited for no longer than the origin takes, and then
 * asks it, has waited twice as long as without the tier at most.
 */
export function hurried<T>(clock: Clock, ms: number, coming: Promise<T>): Promise<T | typeof LATE> {
  if (ms === Number.POSITIVE_INFINITY) return coming
  return new Promise((resolve, reject) => {
    // A loop that was blocked finds the timer due before it sees what came meanwhile: once around, and it has.
    let timer: Timer = clock.after(ms, () => {
      timer = clock.after(1, () => resolve(LATE))
    })
    coming.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (error) => {
        timer.cancel()
        reject(error)
      },
    )
  })
}
