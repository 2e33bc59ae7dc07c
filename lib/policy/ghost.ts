/** The link of a slot whose entry was taken out of the middle. */
const TAKEN = 0xffff_ffff
const LAST_NUMBER = 0xffff_fff0
const MAX_SIZE = 0xffff_ffff
const MIN_SLOTS = 64
/** At most one entry is remembered for so many bytes of capacity. */
const CAPACITY_PER_SLOT = 512
const MAX_SLOTS = 2 ** 30

const SLOT_BYTES = 12
const CHAIN_BYTES = 4

/**
 * What S3-FIFO remembers of the entries that it let go: a queue, first in, first out, bounded by the bytes
 * they had.
 *
 * An entry is known by 32 bits of its hash. With n entries remembered, one question in 2^32 / n is answered
 * with a wrong yes, which puts an entry into the wrong queue and does no other harm.
 *
 * Memory: 14 to 16 bytes for each entry remembered, at most one entry for each 512 bytes of the cache's
 * capacity: up to 3 % of it. Where entries weigh less than that, the memory is shorter than its bound in
 * bytes says. It grows by an eighth when it is full; that one call costs O(n), and for its length there are
 * two copies.
 *
 * Entries are numbered as they come. Chains are linked by number, newest first, so that what falls out at the
 * old end of the queue needs no unlinking: a link to a number before `#first` is the end of a chain.
 *
 * Invariants: the numbers from `#first` up to `#next` are the queue, each in the slot of its number modulo
 * the number of slots; each is in the chain of its fingerprint unless its link is TAKEN; numbers fall along a
 * chain; `#bytes` is the sum of the sizes of those that are not TAKEN.
 */
export class Ghost {
  #maxBytes = 0
  #maxSlots = 0
  #fingerprints = new Uint32Array(0)
  #sizes = new Uint32Array(0)
  #links = new Uint32Array(0)
  #chains = new Uint32Array(1)
  #first = 1
  #next = 1
  #bytes = 0
  readonly #lastNumber: number

  /**
   * @param maxBytes what the entries remembered may have weighed
   * @param capacity of the cache, in bytes
   * @param lastNumber numbers begin anew there; more than there are ever slots
   */
  constructor(maxBytes: number, capacity: number, lastNumber = LAST_NUMBER) {
    this.#lastNumber = lastNumber
    this.setCapacity(maxBytes, capacity)
  }

  /** What this takes, in bytes. */
  get memoryBytes(): number {
    return SLOT_BYTES * this.#links.length + CHAIN_BYTES * this.#chains.length
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
   * Remembers an entry that goes. The bound in bytes is kept by `take` alone: a store first makes room and
   * then adds the entry that needed it, and the former must not drive out what is remembered of the latter.
   */
  add(fingerprint: number, size: number): void {
    const slots = this.#links.length
    if (this.#next - this.#first === slots) {
      if (slots < this.#maxSlots)
        this.#rebuild(Math.min(this.#maxSlots, Math.max(MIN_SLOTS, slots + (slots >>> 3))))
      else this.#forgetOldest()
    }
    if (this.#next === this.#lastNumber) this.#rebuild(slots)
    const weight = Math.min(size, MAX_SIZE)
    this.#append(fingerprint, weight)
    this.#bytes += weight
  }

  /** Whether the entry is remembered; it is forgotten then. */
  take(fingerprint: number): boolean {
    const found = this.#unlink(fingerprint >>> 0)
    this.#trim()
    return found
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
        this.#bytes -= this.#sizes[at]!
        return true
      }
      before = number
      number = link
    }
    return false
  }

  #append(fingerprint: number, size: number): void {
    const at = this.#next % this.#links.length
    const chain = fingerprint & (this.#chains.length - 1)
    this.#fingerprints[at] = fingerprint
    this.#sizes[at] = size
    this.#links[at] = this.#chains[chain]!
    this.#chains[chain] = this.#next
    this.#next += 1
  }

  #trim(): void {
    while (this.#bytes > this.#maxBytes) this.#forgetOldest()
  }

  #forgetOldest(): void {
    const at = this.#first % this.#links.length
    if (this.#links[at] !== TAKEN) this.#bytes -= this.#sizes[at]!
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
    this.#sizes = new Uint32Array(slots)
    this.#links = new Uint32Array(slots)
    this.#chains = new Uint32Array(powerOfTwo(slots / 2))
    this.#first = 1
    this.#next = 1
    for (let number = first; number < next; number += 1) {
      const from = number % links.length
      if (links[from] !== TAKEN) this.#append(fingerprints[from]!, sizes[from]!)
    }
  }
}

/** The smallest power of two that is at least `n`, a number from 1 to 2^31. */
function powerOfTwo(n: number): number {
  return 2 ** (32 - Math.clz32(Math.ceil(n) - 1))
}
