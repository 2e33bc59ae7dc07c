import { randomFrom } from '../shared/random.mjs'
import { zipf } from '../start/zipf.mjs'

/*
 * What is asked for: paths of `shared/objects.mjs`, most of them small, some of up to a MiB, by Zipf's law.
 */

const ITEMS = 20_000
const EXPONENT = 0.99
const SEED = 7
const LEAST = 256
/** 256 B to 1 MiB. */
const DOUBLINGS = 12
/** The higher, the fewer are large: half are below 330 B, a tenth above 24 KiB, the mean is 23 KiB. */
const SKEW = 6

/** The same paths at every run, the most popular first. */
export function mixItems() {
  const random = randomFrom(SEED)
  return Array.from({ length: ITEMS }, (_, at) => {
    const size = Math.round(LEAST * 2 ** (DOUBLINGS * random() ** SKEW))
    return { path: `/${size}/l${at}`, size }
  })
}

/** Draws places in that list. */
export const drawFrom = (seed) => zipf(ITEMS, EXPONENT, randomFrom(seed))
