import { markAsUntransferable } from 'node:worker_threads'
import { Lingering } from './lingering.js'
import { Magazine } from './magazine.js'
import type { PoolConfig } from './options.js'
import { CRITICAL_FACTOR, type PoolPressure } from './pressure.js'
import { Slab } from './slab.js'
import { markSlot, Slot } from './slot.js'
import type { Room } from './strategy.js'
import type { SlabSupply } from './supply/index.js'
import { viewOf } from './view.js'

/** Enough slots of every class of the defaults. */
const SLAB_BYTES = 2 * 2 ** 20
/** Slots that are made at once. */
const BATCH = 32

/** What came of an attempt to have idle slots. */
export type Refill = 'done' | Exclude<Room, 'there'> | 'refused'

/** What a stock needs to tell its pool. */
export interface StockHooks {
  /** A slot was made: it may be watched from now on. */
  onSlot(slot: Slot): void
  /** The memory behind a slot was exchanged while it was idle. */
  onForgotten(slot: Slot): void
  /** A slab is held from now on. */
  onWarm(): void
}

/** A slab that the pool let go of and that somebody may see a part of. */
interface Orphan {
  readonly bytes: number
  /** Because a part was lost, and not because the pool was closed. */
  readonly lost: boolean
}

/**
 * The slabs of a pool: which class has how many, and what may be had.
 *
 * Invariants: `held` is the bytes of all warm slabs, and of those that were let go of while a part was lost and the collector has not found whole;
 * with what lingers it is at most `maxBytes`, always (B4). Slabs of one size, warm and cold, are never more than `maxBytes` has room for, so what is cold takes
 * addresses only.
 */
export class Stock {
  readonly magazines: readonly Magazine[]
  held = 0
  /** The part of `held` that only the collector can give back. */
  #orphanBytes = 0
  #closed = false
  readonly #maxBytes: number
  readonly #slabBytes: number
  readonly #owner: object
  readonly #supply: SlabSupply
  readonly #pressure: PoolPressure
  readonly #hooks: StockHooks
  readonly #orphans = new FinalizationRegistry<Orphan>(({ bytes, lost }) => {
    this.held -= bytes
    if (lost) this.#orphanBytes -= bytes
  })

  readonly #lingering = new Lingering()

  /** All that was ever taken. */
  readonly #memories = new WeakSet<ArrayBufferLike>()

  constructor(
    config: PoolConfig,
    owner: object,
    supply: SlabSupply,
    pressure: PoolPressure,
    hooks: StockHooks,
  ) {
    const { maxBytes, classes } = config
    this.#maxBytes = maxBytes
    this.#owner = owner
    this.#supply = supply
    this.#pressure = pressure
    this.#hooks = hooks
    this.magazines = classes.map((bytes, index) => new Magazine(bytes, index, classes[index - 1]))
    // Every class can have one, where the bound is small.
    this.#slabBytes = Math.min(SLAB_BYTES, 2 ** Math.floor(Math.log2(maxBytes / classes.length)))
  }

  get supply(): SlabSupply['kind'] {
    return this.#supply.kind
  }

  get idleBytes(): number {
    return this.magazines.reduce((sum, { bytes, count }) => sum + bytes * count, 0)
  }

  /** What is held and can be lent to nobody, because a holder lost it. */
  get lostBytes(): number {
    return this.magazines.reduce(
      (sum, { bytes, slabs }) => slabs.reduce((more, { lost }) => more + lost * bytes, sum),
      this.#orphanBytes,
    )
  }

  /** What was let go of and the collector has not found yet. */
  get lingeringBytes(): number {
    return this.#lingering.bytes
  }

  /** Warm and cold slabs that the pool holds on to. */
  get slabs(): number {
    return this.magazines.reduce((sum, { slabs, cold }) => sum + slabs.length + cold.length, 0)
  }

  /** Bytes of the slabs of a class. */
  slabBytesOf(magazine: Magazine): number {
    return Math.max(this.#slabBytes, magazine.bytes)
  }

  /** Whether it is, or was, the memory of one of its slabs. */
  owns(memory: ArrayBufferLike): boolean {
    return this.#memories.has(memory)
  }

  /** What `refill` would come to. */
  room(magazine: Magazine): Room {
    if (magazine.count > 0 || magazine.open !== undefined) return 'there'
    const bytes = this.slabBytesOf(magazine)
    if (this.#fits(bytes)) return 'there'
    const missing = this.held + bytes - this.#bound()
    let idle = 0
    for (const other of this.magazines) {
      if (other === magazine || other.idleSlabs === 0) continue
      // Cut anew, it takes nothing that is not there already.
      if (this.slabBytesOf(other) === bytes) return 'there'
      idle += other.idleSlabs * this.slabBytesOf(other)
    }
    if (this.#supply.returns && idle >= missing) return 'there'
    return this.held + bytes <= this.#maxBytes ? 'pressure' : 'full'
  }

  /** Has the magazine, which has nothing idle, have something. */
  refill(magazine: Magazine): Refill {
    const slab = magazine.open ?? this.#obtain(magazine)
    if (!(slab instanceof Slab)) return slab
    if (magazine.count === 0) this.#cut(magazine, slab)
    return 'done'
  }

  /** Gives idle slabs back until `held` is at most `most`; what was used least recently goes first. Says how many bytes went. */
  reclaim(most: number): number {
    const before = this.held
    for (const magazine of this.#leastRecent()) {
      const bytes = this.slabBytesOf(magazine)
      const wanted = Math.ceil((this.held - most) / bytes)
      if (wanted <= 0) break
      this.release(magazine, magazine.slabs.filter(({ out }) => out === 0).slice(0, wanted))
    }
    return before - this.held
  }

  /** Gives back slabs of one class that have nothing out but what was lost. */
  release(magazine: Magazine, slabs: readonly Slab[]): void {
    if (slabs.length === 0) return
    magazine.withdraw(slabs)
    for (const slab of slabs) {
      if (slab.lost > 0) this.#orphan(slab)
      else this.#cool(slab)
    }
  }

  /** Lets go of everything idle; what is out is its holders'. */
  close(): void {
    this.#closed = true
    for (const magazine of this.magazines) {
      this.release(
        magazine,
        magazine.slabs.filter(({ out, lost }) => out === lost),
      )
      magazine.cold.length = 0
      magazine.open = undefined
      magazine.idle.length = 0
      magazine.fold()
      magazine.slots -= magazine.count
      magazine.count = 0
      magazine.low = 0
      for (const slab of magazine.slabs) {
        this.#orphans.register(slab.memory!, { bytes: slab.bytes, lost: false }, slab)
        this.#retire(slab)
      }
    }
  }

  /** A slot came back after `close`. */
  returned(slot: Slot): void {
    const { slab, magazine } = slot
    magazine.fold()
    magazine.slots -= 1
    if (slab.out > 0) return
    magazine.slabs = magazine.slabs.filter((other) => other !== slab)
    this.#orphans.unregister(slab)
    this.#supply.giveBack(slot.whole.buffer as ArrayBuffer)
    this.held -= slab.bytes
  }

  /** What the pool may hold just now. */
  #bound(): number {
    if (this.#closed) return 0
    const factor = this.#pressure.factor()
    return factor <= CRITICAL_FACTOR ? 0 : Math.floor(this.#maxBytes * factor)
  }

  /** Whether a slab of so many bytes may be had without another going. */
  #fits(bytes: number): boolean {
    if (this.held + bytes > this.#bound()) return false
    const lingering = this.#lingering.bytes
    return lingering === 0 || this.held + lingering + bytes <= this.#maxBytes || this.#lingering.has(bytes)
  }

  #obtain(magazine: Magazine): Slab | Exclude<Refill, 'done'> {
    const room = this.room(magazine)
    if (room !== 'there') return room
    const bytes = this.slabBytesOf(magazine)
    while (!this.#fits(bytes)) {
      const donor = this.#donor(magazine, bytes)
      if (donor === undefined) return 'full'
      const slab = donor.slabs.find(({ out }) => out === 0)!
      if (slab.bytes !== bytes) {
        // Its memory would linger, and nothing be won.
        if (!this.#supply.returns) return 'full'
        this.release(donor, [slab])
        continue
      }
      donor.withdraw([slab])
      const memory = this.#retire(slab)
      return this.#warm(magazine, new Slab(magazine, memory))
    }
    const kept = magazine.cold.pop()
    if (kept !== undefined) {
      this.held += bytes
      this.#warm(magazine, kept)
      magazine.add(kept.kept)
      kept.kept = []
      return kept
    }
    const memory = this.#spare(bytes) ?? this.#take(bytes)
    if (memory === undefined) return 'refused'
    this.held += bytes
    return this.#warm(magazine, new Slab(magazine, memory))
  }

  #warm(magazine: Magazine, slab: Slab): Slab {
    magazine.slabs.push(slab)
    magazine.idleSlabs += 1
    this.#hooks.onWarm()
    if (slab.uncut > 0) magazine.open = slab
    return slab
  }

  #cut(magazine: Magazine, slab: Slab): void {
    const slots: Slot[] = []
    for (let more = Math.min(BATCH, slab.uncut); more > 0; more -= 1) {
      const at = slab.next()
      const whole = viewOf(slab.memory!, at, magazine.bytes)
      const slot = new Slot(this.#owner, magazine, slab, at, whole)
      markSlot(whole, slot)
      this.#hooks.onSlot(slot)
      slots.push(slot)
    }
    if (slab.uncut === 0) magazine.open = undefined
    magazine.add(slots)
  }

  #take(bytes: number): ArrayBuffer | undefined {
    const lingering = this.#lingering.take(bytes)
    if (lingering !== undefined) return lingering
    const memory = this.#supply.take(bytes)
    // A transfer to another thread would take it from the holders of all its slots.
    if (memory !== undefined) {
      markAsUntransferable(memory)
      this.#memories.add(memory)
    }
    return memory
  }

  /** The memory of a cold slab of that size, of whatever class. */
  #spare(bytes: number): ArrayBuffer | undefined {
    for (const { cold } of this.magazines) {
      const slab = cold.at(-1)
      if (slab?.bytes !== bytes) continue
      cold.pop()
      return this.#retire(slab)
    }
    return undefined
  }

  /** From here on the slab is none: its slots are nobody's, and its memory is what it returns. */
  #retire(slab: Slab): ArrayBuffer {
    const { memory } = slab
    slab.memory = undefined
    slab.kept = []
    slab.retired = true
    return memory!
  }

  #cool(slab: Slab): void {
    this.held -= slab.bytes
    if (this.#supply.giveBack(slab.memory!) && !this.#closed) {
      for (const slot of slab.kept) this.#hooks.onForgotten(slot)
      slab.magazine.cold.push(slab)
    } else {
      const memory = this.#retire(slab)
      // After `close` nobody asks any more.
      if (!this.#closed) this.#lingering.add(memory)
    }
  }

  /** Lets go of a slab of which somebody may see a part that was lost. It is held until the collector says that nobody does. */
  #orphan(slab: Slab): void {
    this.#orphanBytes += slab.bytes
    this.#orphans.register(this.#retire(slab), { bytes: slab.bytes, lost: true })
  }

  #leastRecent(): Magazine[] {
    return this.magazines
      .filter(({ idleSlabs }) => idleSlabs > 0)
      .sort((a, b) => a.usedAt - b.usedAt || b.idleSlabs - a.idleSlabs)
  }

  /** Who gives a slab for one of that many bytes: one of just that size before others. */
  #donor(magazine: Magazine, bytes: number): Magazine | undefined {
    const donors = this.#leastRecent().filter((other) => other !== magazine)
    return donors.find((other) => this.slabBytesOf(other) === bytes) ?? donors[0]
  }
}
