/*
 * The index: for each identity of a key, where its current record is.
 */

/** What the index knows of an entry. */
export interface IndexEntry {
  /** Identity: low and high half, unsigned. */
  readonly lo: number
  readonly hi: number
  readonly sequence: number
  readonly segment: number
  /** Of the record in the segment. */
  readonly offset: number
  /** Of the record with padding. */
  readonly length: number
  /** Epoch seconds, rounded up; NEVER for none. */
  readonly expires: number
  /** Of a blob's file, in units of 4096 bytes; 0 for a packed value. */
  readonly blobUnits: number
  /** The policy's own. */
  readonly policy: number
}

/** Told of each record that becomes current (+1) or is so no more (-1). */
export type Account = (entry: IndexEntry, by: 1 | -1) => void

export const NEVER = 0xffffffff
/** What an entry costs at most, in bytes, slack and table included. */
export const ENTRY_BYTES = 48

const SHARDS = 256
const STRIDE = 10
const WORD = 2 ** 32
const [LO, HI, SEQUENCE, SEQUENCE_HIGH, SEGMENT, OFFSET, LENGTH, EXPIRES, BLOB, POLICY] = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
] as const
const EMPTY = 0
/** A shard with fewer words is not made smaller. */
const LEAST_CELLS = 64 * STRIDE

/**
 * One part of the index: cells of STRIDE words, dense, and an open-addressed table of their numbers (plus one), probed
 * linearly. Both grow by small steps, so that slack stays below what ENTRY_BYTES allows, and are made smaller when a
 * fifth of them is empty.
 */
class Shard {
  cells = new Uint32Array(0)
  table = new Uint32Array(0)
  used = 0

  find(lo: number, hi: number): number {
    const { table, cells } = this
    const size = table.length
    if (size === 0) return -1
    for (let at = home(lo, size); ; at = at + 1 === size ? 0 : at + 1) {
      const cell = table[at]!
      if (cell === EMPTY) return -1
      const base = (cell - 1) * STRIDE
      if (cells[base + LO] === lo && cells[base + HI] === hi) return cell - 1
    }
  }

  /** A new cell for an identity that has none. */
  add(lo: number, hi: number): number {
    if (this.used * STRIDE === this.cells.length) this.#growCells()
    if ((this.used + 1) * 5 > this.table.length * 4) this.#growTable()
    const cell = this.used
    this.used += 1
    this.cells[cell * STRIDE + LO] = lo
    this.cells[cell * STRIDE + HI] = hi
    this.#enter(cell)
    return cell
  }

  /** Frees a cell; the last one moves to its place. */
  remove(cell: number): void {
    const { cells, table } = this
    this.#leave(this.#slotOf(cell))
    const last = this.used - 1
    if (cell !== last) {
      table[this.#slotOf(last)] = cell + 1
      cells.copyWithin(cell * STRIDE, last * STRIDE, (last + 1) * STRIDE)
    }
    this.used = last
    // Not at once: entries that come and go would cost a copy each.
    if (this.cells.length > LEAST_CELLS && last * STRIDE * 5 < this.cells.length * 4) this.#shrink()
  }

  #shrink(): void {
    this.cells = this.cells.slice(0, roomFor(this.used))
    const size = Math.max(8, Math.ceil((this.used + 1) * 1.25 * 1.125))
    if (size >= this.table.length) return
    this.table = new Uint32Array(size)
    for (let cell = 0; cell < this.used; cell += 1) this.#enter(cell)
  }

  #enter(cell: number): void {
    const { table } = this
    const size = table.length
    let at = home(this.cells[cell * STRIDE + LO]!, size)
    while (table[at] !== EMPTY) at = at + 1 === size ? 0 : at + 1
    table[at] = cell + 1
  }

  #slotOf(cell: number): number {
    const { table } = this
    const size = table.length
    let at = home(this.cells[cell * STRIDE + LO]!, size)
    while (table[at] !== cell + 1) at = at + 1 === size ? 0 : at + 1
    return at
  }

  /** Empties a slot, and moves those behind it up that would not be found otherwise. */
  #leave(slot: number): void {
    const { table, cells } = this
    const size = table.length
    let hole = slot
    for (let at = hole; ; ) {
      at = at + 1 === size ? 0 : at + 1
      const cell = table[at]!
      if (cell === EMPTY) break
      const wanted = home(cells[(cell - 1) * STRIDE + LO]!, size)
      const stays = hole <= at ? hole < wanted && wanted <= at : hole < wanted || wanted <= at
      if (stays) continue
      table[hole] = cell
      hole = at
    }
    table[hole] = EMPTY
  }

  #growCells(): void {
    const cells = new Uint32Array(roomFor(this.used))
    cells.set(this.cells)
    this.cells = cells
  }

  #growTable(): void {
    this.table = new Uint32Array(Math.max(8, Math.ceil(this.table.length * 1.25)))
    for (let cell = 0; cell < this.used; cell += 1) this.#enter(cell)
  }
}

/** Words of the cells of a shard that has so many. */
function roomFor(used: number): number {
  return (used + Math.max(4, Math.ceil(used / 16))) * STRIDE
}

function home(lo: number, size: number): number {
  return Math.floor((lo * size) / WORD)
}

/**
 * Shards are chosen by the highest bits of the identity, so that one after another they are in its order.
 *
 * Invariants: an identity has at most one cell; `account` was told +1 for each cell there is and -1 for each that was
 * replaced or removed; segments are kept less `base`, which is no greater than any of them.
 */
export class IndexTable {
  readonly #shards = Array.from({ length: SHARDS }, () => new Shard())
  readonly #account: Account
  readonly #base: number
  #size = 0

  constructor(base: number, account: Account) {
    this.#base = base
    this.#account = account
  }

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    let bytes = 0
    for (const { cells, table } of this.#shards) bytes += cells.byteLength + table.byteLength
    return bytes
  }

  get shards(): number {
    return SHARDS
  }

  get(lo: number, hi: number): IndexEntry | undefined {
    const shard = this.#shardOf(hi)
    const cell = shard.find(lo, hi)
    return cell === -1 ? undefined : this.#entry(shard.cells, cell)
  }

  has(lo: number, hi: number): boolean {
    return this.#shardOf(hi).find(lo, hi) !== -1
  }

  /** Makes `entry` the current one of its identity; gives the one before. */
  put(entry: IndexEntry): IndexEntry | undefined {
    const shard = this.#shardOf(entry.hi)
    let cell = shard.find(entry.lo, entry.hi)
    const before = cell === -1 ? undefined : this.#entry(shard.cells, cell)
    if (before === undefined) {
      cell = shard.add(entry.lo, entry.hi)
      this.#size += 1
    } else {
      this.#account(before, -1)
    }
    const { cells } = shard
    const base = cell * STRIDE
    cells[base + SEQUENCE] = entry.sequence % WORD
    cells[base + SEQUENCE_HIGH] = Math.floor(entry.sequence / WORD)
    cells[base + SEGMENT] = entry.segment - this.#base
    cells[base + OFFSET] = entry.offset / 8
    cells[base + LENGTH] = entry.length
    cells[base + EXPIRES] = entry.expires
    cells[base + BLOB] = entry.blobUnits
    cells[base + POLICY] = entry.policy
    this.#account(entry, 1)
    return before
  }

  remove(lo: number, hi: number): IndexEntry | undefined {
    const shard = this.#shardOf(hi)
    const cell = shard.find(lo, hi)
    if (cell === -1) return undefined
    const entry = this.#entry(shard.cells, cell)
    shard.remove(cell)
    this.#size -= 1
    this.#account(entry, -1)
    return entry
  }

  /** Removes the entry if it is still the one at that place; says whether. */
  removeAt(entry: Pick<IndexEntry, 'lo' | 'hi' | 'segment' | 'offset'>): boolean {
    const there = this.get(entry.lo, entry.hi)
    if (there?.segment !== entry.segment || there.offset !== entry.offset) return false
    this.remove(entry.lo, entry.hi)
    return true
  }

  setPolicy(lo: number, hi: number, policy: number): void {
    const shard = this.#shardOf(hi)
    const cell = shard.find(lo, hi)
    if (cell !== -1) shard.cells[cell * STRIDE + POLICY] = policy
  }

  /** The policy's word of the entry number `index` of shard `number`, each taken modulo what there is: a sample. */
  samplePolicy(number: number, index: number): number | undefined {
    const shard = this.#shards[number % SHARDS]!
    return shard.used === 0 ? undefined : shard.cells[(index % shard.used) * STRIDE + POLICY]
  }

  /** Makes of the policy's word of each entry what `become` does. */
  reconsider(become: (policy: number) => number): void {
    for (const { cells, used } of this.#shards) {
      for (let at = POLICY; at < used * STRIDE; at += STRIDE) cells[at] = become(cells[at]!)
    }
  }

  /** What is in a shard now. */
  snapshot(number: number): IndexEntry[] {
    const { cells, used } = this.#shards[number]!
    return Array.from({ length: used }, (_, cell) => this.#entry(cells, cell))
  }

  /** Calls `visit` with each entry of a shard that has expired by `second`. It must not change the index. */
  eachExpired(number: number, second: number, visit: (entry: IndexEntry) => void): void {
    const { cells, used } = this.#shards[number]!
    for (let cell = 0; cell < used; cell += 1) {
      if (cells[cell * STRIDE + EXPIRES]! <= second) visit(this.#entry(cells, cell))
    }
  }

  /** Removes those that `gone` says of, and tells `removed` of each. */
  removeIf(gone: (entry: IndexEntry) => boolean, removed: (entry: IndexEntry) => void = () => {}): void {
    for (let number = 0; number < SHARDS; number += 1) {
      for (const entry of this.snapshot(number)) {
        if (!gone(entry)) continue
        this.remove(entry.lo, entry.hi)
        removed(entry)
      }
    }
  }

  #shardOf(hi: number): Shard {
    return this.#shards[hi >>> 24]!
  }

  #entry(cells: Uint32Array, cell: number): IndexEntry {
    const base = cell * STRIDE
    return {
      lo: cells[base + LO]!,
      hi: cells[base + HI]!,
      sequence: cells[base + SEQUENCE_HIGH]! * WORD + cells[base + SEQUENCE]!,
      segment: cells[base + SEGMENT]! + this.#base,
      offset: cells[base + OFFSET]! * 8,
      length: cells[base + LENGTH]!,
      expires: cells[base + EXPIRES]!,
      blobUnits: cells[base + BLOB]!,
      policy: cells[base + POLICY]!,
    }
  }
}
