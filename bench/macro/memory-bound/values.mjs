import { randomFrom } from '../../shared/random.mjs'

/*
 * Values that can be checked anywhere without having been kept: each is a stretch of the same noise, from a place that
 * its key and version tell. So the writer needs no memory for what it writes, and the checker none for what it expects.
 */

export const LARGEST = 4e6
/** Where stretches begin: so many places, and two versions of a key never share one. */
const PLACES = 2 ** 18

const noise = Buffer.alloc(LARGEST + PLACES)
const random = randomFrom(20)
for (let at = 0; at < noise.length; at += 1) noise[at] = random() * 256

/** The value that the key of that number has at that version. Not to be written to. */
export function stretchOf(key, version, size) {
  const place = (Math.imul(key, 0x9e3779b1) + Math.imul(version, 0x61c88647)) >>> 0
  return noise.subarray(place % PLACES, (place % PLACES) + size)
}
