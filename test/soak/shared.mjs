/*
 * What all threads of the soak have in common, in memory that they share: the number of the last version, the floor of each key, and counts.
 *
 * Invariant: a floor is raised only when a change has been acknowledged, to the version that there was when it began. Changes of a key come one after
 * the other, so whoever asks from then on may be given what is of that version or of a later one, and nothing older.
 */

/** The caches that there are. */
export const SPACES = ['memory', 'disk', 'tiers']
export const GROUPS = 8
const KEYS_OF_GROUP = 4
const KEYS = GROUPS * KEYS_OF_GROUP

/** What is counted. All of `WRONG` must be 0 at the end. */
export const DONE = [
  'reads',
  'hits',
  'writes',
  'removals',
  'invalidations',
  'origin calls',
  'origin failures',
  'origin hangs',
  'bodies cut short',
  'bodies left',
  'changes of options',
  'calls that failed as they may',
  'threads that came',
  'threads that were killed',
  'faults of the disk',
  'bytes flipped',
  'looks at the bounds',
]
export const WRONG = [
  'wrong bytes',
  'values out of date',
  'errors that nobody expects',
  'over the bound',
  'leaks',
  'open bodies',
  'fills under way',
  'pinned bytes',
  'pooled Buffers out',
  'misuse of the pool',
]
const NAMES = [...DONE, ...WRONG]

export class Shared {
  #words

  constructor(buffer = new SharedArrayBuffer(4 * (2 + NAMES.length + SPACES.length * KEYS))) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
  }

  /** A version that no value has yet. */
  next() {
    return Atomics.add(this.#words, 0, 1) + 1
  }

  get isOver() {
    return Atomics.load(this.#words, 1) === 1
  }

  end() {
    Atomics.store(this.#words, 1, 1)
  }

  count(name, by = 1) {
    const at = NAMES.indexOf(name)
    if (at < 0) throw new Error(`nobody counts ${name}`)
    Atomics.add(this.#words, 2 + at, by)
  }

  of(name) {
    return Atomics.load(this.#words, 2 + NAMES.indexOf(name))
  }

  floorOf(space, key) {
    return Atomics.load(this.#words, this.#place(space, key))
  }

  raise(space, key, version) {
    Atomics.store(this.#words, this.#place(space, key), version)
  }

  #place(space, key) {
    return 2 + NAMES.length + SPACES.indexOf(space) * KEYS + Number(key.slice(4))
  }
}

export const tagOf = (group) => `group ${group}`
export const keysOf = (group) =>
  Array.from({ length: KEYS_OF_GROUP }, (_, at) => `key ${group * KEYS_OF_GROUP + at}`)
export const groupOf = (key) => Math.floor(Number(key.slice(4)) / KEYS_OF_GROUP)
export const ALL_KEYS = Array.from({ length: GROUPS }, (_, group) => keysOf(group)).flat()

/** The same numbers for the same seed: each below what it is asked for. */
export function randomOf(seed) {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
