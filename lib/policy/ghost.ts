import { type TakeMemory, takeAny } from './policy.js'

/** The link of a slot whose entry was taken out of the middle. */
const TAKEN = 0xffff_ffff
const LAST_NUMBER = 0xffff_fff0
const MIN_SLOTS = 64
const MAX_SLOTS = 2 ** 20 - 2
/** At most one entry is remembered for so many bytes of capacity. */
const CAPACITY_PER_SLOT = 2048
/** When there are no more slots to be had, it is worth moving the queue together if so large a part of it was taken. */
const WORTH_MOVING = 8

/** Of a size as it is remembered: what the bits below the highest one can be. */
const MANTISSA = 2 ** 7
const MAX_EXPONENT = 30

const SLOT_BYTES = 10
const CHAIN_BYTES = 4

/**
 * What S3-FIFO remembers of the entries that it let go: a queue, first in, first out, bounded by the bytes they had.
 *
 * An entry is known by 32 bits of its hash. With n entries remembered, one question in 2^32 / n is answered with a
 * wrong yes, which puts an entry into the wrong queue and does no other harm. Sizes are remembered with their eight
 * highest bits, so that the bound in bytes is true to one part in 128.
 *
 * Memory, in C++: 8 bytes for each entry remembered and 1 to 2 for its chain; at most one entry for each 2 KiB of the
 * cache's capacity, that is 0.5 % of it, and 2^20 of them. Where entries weigh less than that, less is remembered
 * than the bound in bytes says. It grows by an eighth when it is full, and moves together what is left when it
 * cannot grow. Either costs O(n), after at least n / 8 other calls.
 *
 * Entries are numbered as they come. Chains are linked by number, newest first, so that what falls out at the old
 * end of the queue needs no unlinking: a link to a number before `#first` is the end of a chain.
 *
 * Invariants: the numbers from `#first` up to `#next` are the queue, each in the slot of its number modulo the number
 * of slots; each is in the chain of its fingerprint unless its link is TAKEN, as those of `#taken` of them are;
 * numbers fall along a chain; `#bytes` is the sum of the sizes of those that are not TAKEN.
 */
export class Ghost {
  #maxBytes = 0
  #maxSlots = 0
  #fingerprints = new Uint32Array(0)
  #sizes = new Uint16Array(0)
  #links = new Uint32Array(0)
  #chains = new Uint32Array(1)
  #first = 1
  #next = 1
  #taken = 0
  #bytes = 0
  readonly #take: TakeMemory
  readonly #lastNumber: number

  /**
   * @param maxBytes what the entries remembered may have weighed
   * @param capacity of the cache, in bytes
   * @param take whether it may take memory
   * @param lastNumber numbers begin anew there; more than twice the slots that there will be
   */
  constructor(maxBytes: number, capacity: number, take: TakeMemory = takeAny, lastNumber = LAST_NUMBER) {
    this.#take = take
    this.#lastNumber = lastNumber
    this.setCapacity(maxBytes, capacity)
  }

  /** What this takes, in bytes. */
  get memoryBytes(): number {
    return this.#links.length === 0 ? 0 : bytesOf(this.#links.length)
  }

  /** What the entries weighed that are remembered. */
  get bytes(): number {
    return this.#bytes
  }

  setCapacity(maxBytes: number, capacity: number): void {
    this.#maxBytes = maxBytes
    this.#maxSlots = Math.min(Math.max(MIN_SLOTS, Math.floor(capacity / CAPACITY_PER_SLOT)), MAX_SLOTS)
    this.#trim()
    while (this.#next - this.#first > this.#maxSlots) this.#forgetOldest()
    if (this.#links.length > this.#maxSlots) this.#rebuild(this.#maxSlots)
  }

  /**
   * Remembers an entry that goes. The bound in bytes is kept by `take` alone: a store first makes room and then adds
   * the entry that needed it, and the former must not drive out what is remembered of the latter.
   */
  add(fingerprint: number, size: number): void {
    const slots = this.#links.length
    if (this.#next - this.#first === slots && !this.#makeRoom(slots)) return
    if (this.#next === this.#lastNumber) this.#rebuild(this.#links.length)
    const code = encodeSize(size)
    this.#append(fingerprint, code)
    this.#bytes += decodeSize(code)
  }

  /** Whether the entry is remembered; it is forgotten then. */
  take(fingerprint: number): boolean {
    const found = this.#unlink(fingerprint >>> 0)
    this.#trim()
    return found
  }

  /** Frees a slot. False when there is none and no memory for any. */
  #makeRoom(slots: number): boolean {
    const more = Math.min(this.#maxSlots, Math.max(MIN_SLOTS, slots + (slots >>> 3)))
    if (more > slots && this.#take(bytesOf(more) - this.memoryBytes)) this.#rebuild(more)
    else if (slots === 0) return false
    else if (this.#taken * WORTH_MOVING >= slots) this.#rebuild(slots)
    else this.#forgetOldest()
    return true
  }

  #append(fingerprint: number, code: number): void {
    const at = this.#next % this.#links.length
    const chain = fingerprint & (this.#chains.length - 1)
    this.#fingerprints[at] = fingerprint
    this.#sizes[at] = code
    this.#links[at] = this.#chains[chain]!
    this.#chains[chain] = this.#next
    this.#next += 1
  }

  #unlink(fingerprint: number): boolean {
    const chain = fingerprint & (this.#chains.length - 1)
    let before = 0
    for (let number = this.#chains[chain]!; number >= this.#first; ) {
      const at = number % this.#links.length
      const link = this.#links[at]!
      if (this.#fingerprints[at] === fingerprint) {
        if (before === 0) this.#chains[chain] = link
        else this.#links[before % this.#links.length] = link
        this.#links[at] = TAKEN
        this.#taken += 1
        this.#bytes -= decodeSize(this.#sizes[at]!)
        return true
      }
      before = number
      number = link
    }
    return false
  }

  #trim(): void {
    while (this.#bytes > this.#maxBytes) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const at = this.#first % this.#links.length
    if (this.#links[at] === TAKEN) this.#taken -= 1
    else this.#bytes -= decodeSize(this.#sizes[at]!)
    this.#first += 1
  }

  /** Moves the queue to `slots` slots and numbers it from 1, leaving out what was taken. */
  #rebuild(slots: number): void {
    const fingerprints = this.#fingerprints
    const sizes = this.#sizes
    const links = this.#links
    const first = this.#first
    const next = this.#next
    this.#fingerprints = new Uint32Array(slots)
    this.#sizes = new Uint16Array(slots)
    this.#links = new Uint32Array(slots)
    this.#chains = new Uint32Array(chainsOf(slots))
    this.#first = 1
    this.#next = 1
    this.#taken = 0
    for (let number = first; number < next; number += 1) {
      const from = number % links.length
      if (links[from] !== TAKEN) this.#append(fingerprints[from]!, sizes[from]!)
    }
  }
}

/** The size in 12 bits: as it is if it has 8 bits, else an exponent and the bits after the highest one. */
function encodeSize(size: number): number {
  let exponent = 0
  let rest = size
  while (rest >= 2 * MANTISSA) {
    rest = Math.floor(rest / 2)
    exponent += 1
  }
  if (exponent > MAX_EXPONENT) return (MAX_EXPONENT + 2) * MANTISSA - 1
  return exponent * MANTISSA + rest
}

function decodeSize(code: number): number {
  const exponent = Math.max(0, Math.floor(code / MANTISSA) - 1)
  return (code - exponent * MANTISSA) * 2 ** exponent
}

function chainsOf(slots: number): number {
  return powerOfTwo(slots / 4)
}

function bytesOf(slots: number): number {
  return SLOT_BYTES * slots + CHAIN_BYTES * chainsOf(slots)
}

/** The smallest power of two that is at least `n`, a number from 1 to 2^31. */
function powerOfTwo(n: number): number {
  return 2 ** (32 - Math.clz32(Math.ceil(n) - 1))
}
