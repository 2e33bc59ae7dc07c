import type { FilePolicyName } from '../options.js'
import type { IndexTable } from './table.js'

/*
 * Who gets another turn when his segment is the oldest (D8). The log is the queue; a policy has 32 bits an entry.
 */

export interface TurnPolicy {
  /** Of an entry that comes. */
  fresh(): number
  /** Of one that is there, and was not read for long. */
  cold(): number
  /** Of one that was read. */
  touched(policy: number): number
  /** Called when a segment is about to be reclaimed. */
  begin(index: IndexTable): void
  /** What the entry is worth; 0 or less: it goes. */
  rank(policy: number): number
  /** Of one that gets another turn. */
  turned(policy: number): number
}

const READS = 3
const AGAIN = 4
const TICKS = 2 ** 16
const SAMPLES = 64
const MOST_COUNT = 255

const fifo: TurnPolicy = {
  fresh: () => 0,
  cold: () => 0,
  touched: (policy) => policy,
  begin: () => undefined,
  rank: () => 0,
  turned: (policy) => policy,
}

/** One bit: read since its last turn. */
const sieve: TurnPolicy = {
  ...fifo,
  touched: () => 1,
  rank: (policy) => policy & 1,
  turned: () => 0,
}

/** Reads, counted to 3, and a bit for those that had a turn already, which have to be read twice. */
const s3Fifo: TurnPolicy = {
  ...fifo,
  touched: (policy) => (policy & AGAIN) | Math.min(READS, (policy & READS) + 1),
  rank: (policy) => {
    const reads = policy & READS
    return (policy & AGAIN) === 0 ? reads : reads - 1
  },
  turned: (policy) => AGAIN | Math.max(0, (policy & READS) - 1),
}

/** When it was read last, by a clock of 16 bits that goes on with what comes and is read; compared with the median of a sample. */
function lru(size: () => number): TurnPolicy {
  let clock = 1
  let steps = 0
  let median = 0
  const age = (policy: number): number => (clock - (policy % TICKS) + TICKS) % TICKS
  const now = (): number => {
    steps += 1
    if (steps >= Math.max(16, size() / 256)) {
      steps = 0
      clock = (clock + 1) % TICKS
    }
    return clock
  }
  return {
    fresh: now,
    // Half way round: older than whoever is read from now on.
    cold: () => (clock + TICKS / 2) % TICKS,
    touched: now,
    begin: (index) => {
      const ages: number[] = []
      for (let sample = 0; sample < SAMPLES; sample += 1) {
        const policy = index.samplePolicy(sample * 41 + clock, sample * 7919 + clock)
        if (policy !== undefined) ages.push(age(policy))
      }
      ages.sort((a, b) => a - b)
      median = ages[ages.length >>> 1] ?? 0
    },
    rank: (policy) => median - age(policy),
    turned: (policy) => policy,
  }
}

/** How often it was read, 8 bits on a scale of logarithms; compared with the running average of those reclaimed. */
function lfu(): TurnPolicy {
  let average = 0
  let state = 0x9e3779b9
  const random = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
  return {
    fresh: () => 0,
    cold: () => 0,
    touched: (policy) => (random() < 2 ** -(policy / 8) ? Math.min(MOST_COUNT, policy + 1) : policy),
    begin: () => undefined,
    rank: (policy) => {
      const rank = policy - average
      average += rank / 64
      return rank
    },
    turned: (policy) => policy >>> 1,
  }
}

/** Has `next` decide with what `before` left: who was worth another turn still is, and nobody else. */
export function takeTurns(before: TurnPolicy, next: TurnPolicy, index: IndexTable): void {
  before.begin(index)
  index.reconsider((policy) => (before.rank(policy) > 0 ? next.touched(next.fresh()) : next.cold()))
}

export function turnPolicy(name: FilePolicyName, size: () => number): TurnPolicy {
  switch (name) {
    case 'fifo':
      return fifo
    case 'sieve':
      return sieve
    case 's3-fifo':
      return s3Fifo
    case 'lru':
      return lru(size)
    case 'lfu':
      return lfu()
  }
}
