import { type TakeMemory, takeAny } from './policy.js'

/** A block: 128 counters of 4 bits, in 16 words, the size of a processor's cache line. */
const WORDS_PER_BLOCK = 16
const WORD_BYTES = 4
const ENTRIES_PER_BLOCK = 8
const MIN_BLOCKS = 64
const MAX_BLOCKS = 2 ** 26
/** One entry is counted on for so many bytes of capacity, at most. */
const CAPACITY_PER_BLOCK = 1280 * ENTRIES_PER_BLOCK

const ODD = 0x1111_1111
const HALF = 0x7777_7777

/** Uses for each entry of the cache after which all counters are halved. */
const USES_PER_ENTRY = 10
const MIN_ENTRIES = 64

/**
 * How often keys were used lately, whether they are in the cache or not.
 *
 * A count-min sketch: G. Cormode and S. Muthukrishnan, "An Improved Data Stream Summary: The Count-Min Sketch
 * and its Applications", 2005. A use counts in four counters, one of each row, that the hash of the key
 * chooses; the least of the four is the estimate. It saturates at 15. After ten uses for each entry of the
 * cache all counters are halved, which lets old fame fade: G. Einziger, R. Friedman and B. Manes, "TinyLFU: A
 * Highly Efficient Cache Admission Policy", ACM Transactions on Storage, 2017.
 *
 * The bound: but for saturation and halving, an estimate is never too low. For n entries a row has w ≥ 4n
 * counters, with N ≤ 10n uses in it; by Markov's inequality it is too high by more than 2N / w ≤ 5 with a
 * chance of at most 1/2, so the least of four rows with one of at most 1/16. Uses are not spread as badly as
 * that allows: by Zipf's law more than nine estimates in ten are exact even right before the halving.
 *
 * The four counters are in one block of 64 bytes, so that a use costs one miss of the processor's cache, not
 * four; the price is that some blocks are fuller than others (F. Putze, P. Sanders and J. Singler, "Cache-,
 * Hash- and Space-Efficient Bloom Filters", 2009).
 *
 * Memory: 8 to 16 bytes for each entry of the cache, and at most 0.63 % of its capacity: where entries weigh
 * less than 1.25 KiB, more of them share a counter. It doubles as entries come, and no estimate changes: a
 * key's block is chosen by the low bits of its hash, so both halves begin as copies of what was there.
 */
export class FrequencySketch {
  #table = new Uint32Array(0)
  #maxBlocks = MIN_BLOCKS
  #uses = 0
  readonly #take: TakeMemory

  /** @param take whether it may take memory; without any it counts nothing */
  constructor(capacity: number, take: TakeMemory = takeAny) {
    this.#take = take
    this.setCapacity(capacity)
  }

  get memoryBytes(): number {
    return this.#table.byteLength
  }

  setCapacity(bytes: number): void {
    this.#maxBlocks = Math.min(Math.max(MIN_BLOCKS, Math.floor(bytes / CAPACITY_PER_BLOCK)), MAX_BLOCKS)
  }

  /** Prepares for a cache of so many entries. */
  grow(entries: number): void {
    let { length } = this.#table
    while (
      length === 0 ||
      (entries * WORDS_PER_BLOCK > length * ENTRIES_PER_BLOCK &&
        length * 2 <= this.#maxBlocks * WORDS_PER_BLOCK)
    ) {
      const longer = Math.max(MIN_BLOCKS * WORDS_PER_BLOCK, length * 2)
      if (!this.#take((longer - length) * WORD_BYTES)) return
      const table = new Uint32Array(longer)
      table.set(this.#table)
      table.set(this.#table, length)
      this.#table = table
      length = longer
    }
  }

  /** Counts one use of the key with that hash. `entries` are in the cache. */
  count(hash: number, entries: number): void {
    if (this.#table.length === 0) return
    let word = this.#block(hash)
    let counted = false
    for (let bits = mix(hash), row = 0; row < 4; row += 1, bits >>>= 5, word += 4) {
      const at = word + ((bits >>> 3) & 3)
      const shift = (bits & 7) * 4
      if (((this.#table[at]! >>> shift) & 15) < 15) {
        this.#table[at]! += 1 << shift
        counted = true
      }
    }
    if (!counted) return
    this.#uses += 1
    if (this.#uses >= USES_PER_ENTRY * Math.max(entries, MIN_ENTRIES)) this.#age()
  }

  /** How often the key with that hash was used lately: 0 to 15. */
  estimate(hash: number): number {
    if (this.#table.length === 0) return 0
    let word = this.#block(hash)
    let least = 15
    for (let bits = mix(hash), row = 0; row < 4; row += 1, bits >>>= 5, word += 4) {
      least = Math.min(least, (this.#table[word + ((bits >>> 3) & 3)]! >>> ((bits & 7) * 4)) & 15)
    }
    return least
  }

  #block(hash: number): number {
    const blocks = this.#table.length / WORDS_PER_BLOCK
    return (hash & (blocks - 1)) * WORDS_PER_BLOCK
  }

  #age(): void {
    let odd = 0
    for (let at = 0; at < this.#table.length; at += 1) {
      const word = this.#table[at]!
      odd += ones(word & ODD)
      this.#table[at] = (word >>> 1) & HALF
    }
    // A use is in four counters; of an odd counter the half is lost.
    this.#uses = Math.max(0, (this.#uses - (odd >>> 2)) >>> 1)
  }
}

/** The bits that choose counters, independent of those that choose the block. */
function mix(hash: number): number {
  const mixed = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  return mixed ^ (mixed >>> 13)
}

/** The bits that are set in `word`, of which there is at most one in each four. */
function ones(word: number): number {
  const bytes = (word + (word >>> 4)) & 0x0f0f_0f0f
  return Math.imul(bytes, 0x0101_0101) >>> 24
}
