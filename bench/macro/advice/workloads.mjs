import { randomBytes } from 'node:crypto'
import { randomFrom } from '../../shared/random.mjs'
import { zipf } from '../../start/zipf.mjs'

/*
 * Caches that are used as they should not be. Each gives what is asked for next: a key and what its origin has.
 */

const VALUE = 4000
const SEED = 7

/** Popular keys, of which twice as many as fit, and as many requests for keys that nobody asks for again. */
export function scanPolluted(maxBytes) {
  const random = randomFrom(SEED)
  const popular = zipf(Math.floor((2 * maxBytes) / VALUE), 0.8, random)
  const body = Buffer.alloc(VALUE, 1)
  let scanned = 0
  return () => {
    if (random() < 0.5) return { key: `popular/${popular()}`, body }
    scanned += 1
    return { key: `scan/${scanned}`, body }
  }
}

/** Three times as many keys as fit, nearly all of them as popular as the others. */
export function tooMany(maxBytes) {
  const random = randomFrom(SEED)
  const drawn = zipf(Math.floor((3 * maxBytes) / VALUE), 0.3, random)
  const body = Buffer.alloc(VALUE, 1)
  return () => ({ key: `page/${drawn()}`, body })
}

/** Bytes that nobody makes smaller, of which all fit. */
export function incompressible(maxBytes) {
  const random = randomFrom(SEED)
  const drawn = zipf(Math.floor(maxBytes / 2 / VALUE), 0.8, random)
  const noise = randomBytes(64 * VALUE)
  return () => {
    const at = Math.floor(random() * 63 * VALUE)
    return { key: `image/${drawn()}`, body: noise.subarray(at, at + VALUE) }
  }
}
