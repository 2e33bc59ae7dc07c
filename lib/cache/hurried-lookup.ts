import type { Clock, Timer } from '../clock.js'
import type { UsualTime } from './usual-time.js'

/** A tier may always take so long, however fast the origin is: less is within what the event loop may be late by. */
export const LEAST_MS = 10
/** How long a lookup may take while nobody knows how long the origin does. */
export const UNKNOWN_MS = 100

/** How long a lookup may take before the origin is asked, in milliseconds: `asked`, or what the origin usually takes. */
export function lookupLimit(asked: number | undefined, origin: UsualTime): number {
  return asked ?? Math.max(LEAST_MS, origin.middle ?? UNKNOWN_MS)
}

/**
 * What `coming` gives, or undefined once it has taken longer than `ms`, which `onLate` is told; what comes then goes to `unused`. Never rejects if
 * `coming` never does.
 *
 * A slow tier must not make an answer slower than its origin would have been (I3): who has waited for as long as the origin takes, and then asks it,
 * has waited twice as long as without the tier, and no longer.
 */
export function hurried<T>(
  clock: Clock,
  ms: number,
  coming: Promise<T | undefined>,
  onLate: () => void,
  unused: (value: T | undefined) => void,
): Promise<T | undefined> {
  if (ms === Number.POSITIVE_INFINITY) return coming
  return new Promise((resolve, reject) => {
    let over = false
    const late = (): void => {
      over = true
      onLate()
      resolve(undefined)
    }
    // A loop that was blocked finds the timer due before it sees what came meanwhile: once around, and it has.
    let timer: Timer = clock.after(ms, () => {
      timer = clock.after(1, late)
    })
    coming.then(
      (value) => {
        if (over) return unused(value)
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
