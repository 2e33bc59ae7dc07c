import { randomBytes } from 'node:crypto'
import type { Cache, Fetcher } from '../../../../lib/index.js'

/** A generator of numbers from 0 to 1, the same for the same seed: mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws from 0 to `count` - 1, the first most often: Zipf's law. */
export function zipfOf(count: number, exponent: number, random: () => number): () => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let at = 0; at < count; at += 1) {
    sum += 1 / (at + 1) ** exponent
    sums[at] = sum
  }
  return () => {
    const wanted = random() * sum
    let [low, high] = [0, count - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Which key is asked for next. */
export type Workload = () => string

/** Popular keys, and as many that are asked for once. */
export function scanPolluted(keys: number, seed: number): Workload {
  const random = randomOf(seed)
  const popular = zipfOf(keys, 0.8, random)
  let scanned = 0
  return () => {
    if (random() < 0.5) return `popular/${popular()}`
    scanned += 1
    return `scan/${scanned}`
  }
}

/** More keys than fit, nearly all of them as popular as the others. */
export function tooMany(keys: number, seed: number): Workload {
  const random = randomOf(seed)
  const drawn = zipfOf(keys, 0.3, random)
  return () => `page/${drawn()}`
}

/** Bytes that nobody makes smaller. */
export function noise(size: number): Buffer {
  return randomBytes(size)
}

/** Asks so many times; says which share the cache answered, as its stats have it. */
export async function ask(
  cache: Cache,
  workload: Workload,
  requests: number,
  fetcher: Fetcher,
): Promise<number> {
  const before = cache.stats()
  for (let at = 0; at < requests; at += 1) {
    const key = workload()
    // Half of them in two steps, as a server that does not want to wait for what is at hand.
    if (at % 2 === 0 || cache.getSync(key) === undefined) await cache.fetch(key, fetcher)
  }
  const after = cache.stats()
  const hits = after.hits - before.hits
  return hits / (hits + after.misses - before.misses)
}
