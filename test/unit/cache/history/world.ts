import { rmSync } from 'node:fs'
import type { Cache, Store, WritePolicy } from '../../../../lib/index.js'
import { createCache } from '../../../../lib/index.js'
import { bufferPool } from '../../../helpers/buffer-pool.js'
import { killed } from '../../../helpers/file-model.js'
import { emptyDir } from '../../../helpers/file-rig.js'
import type { Batch, Read, Removal, Value } from '../../../helpers/history.js'

/*
 * A cache that is closed and opened again, or dies, while clients use it; and what they did, on one line of ticks.
 */

export type Random = (below: number) => number

/** The same numbers for the same seed. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

export interface Setup {
  /** Undefined: what is kept does not outlive the cache. */
  readonly dir: string | undefined
  readonly writePolicy: WritePolicy
  /** An acknowledged write is on the disk. */
  readonly durable: boolean
  tiers(dir: string): Store[]
}

/** What is kept beside a value, so that one that has the metadata of another is seen. */
export interface User {
  readonly id: number
}

/** From when on an operation is of interest, and whether still. */
export interface Moment {
  readonly cache: Cache<User>
  readonly life: number
}

export class World {
  readonly values: Value[] = []
  readonly reads: Read[] = []
  readonly removals: Removal[] = []
  readonly kills: number[] = []
  readonly #setup: Setup
  readonly #dying: Promise<void>[] = []
  readonly #sizes = new Map<number, number>()
  #dir: string
  #life = 0
  #tick = 0
  #cache: Promise<Cache<User>>

  constructor(setup: Setup) {
    this.#setup = setup
    this.#dir = setup.dir ?? ''
    this.#cache = this.#open()
  }

  tick(): number {
    this.#tick += 1
    return this.#tick
  }

  async now(): Promise<Moment> {
    const cache = await this.#cache
    return { cache, life: this.#life }
  }

  /** Whether what an operation learns that began in `life` is of the cache that there is. */
  isOf(life: number): boolean {
    return life === this.#life
  }

  /** A new value, that is written or fetched from now on. */
  begin(life: number, kind: Value['kind'], key: string, size: number, more: Partial<Value> = {}): Value {
    const id = this.values.length
    const value: Value = {
      id,
      key,
      kind,
      start: this.tick(),
      end: Number.POSITIVE_INFINITY,
      done: false,
      durable: this.#setup.durable,
      ...more,
    }
    // What a dead process did afterwards is nowhere.
    if (!this.isOf(life)) value.failed = true
    this.values.push(value)
    this.#sizes.set(id, size)
    return value
  }

  batch(keys: readonly string[]): Batch {
    return { keys, start: this.#tick + 1 }
  }

  bytesOf({ id, key }: Value): Buffer {
    const head = Buffer.from(`${key}|${id}|`)
    return Buffer.concat([head, Buffer.alloc(this.#sizes.get(id)!, id % 251)])
  }

  /** Which value the bytes are. @throws when they are none, or the metadata are those of another */
  valueOf(key: string, bytes: Buffer, user: User | undefined): Value {
    const [of, id] = bytes.subarray(0, 40).toString('latin1').split('|')
    const value = this.values[Number(id)]
    if (value === undefined || of !== key || !bytes.equals(this.bytesOf(value))) {
      throw new Error(`torn or foreign: ${bytes.length} bytes for ${key}, of ${of}, ${id}`)
    }
    if (user?.id !== value.id) throw new Error(`${key}: ${id} has the metadata of ${user?.id}`)
    return value
  }

  /** The write was acknowledged. */
  wrote(life: number, value: Value): void {
    if (!this.isOf(life)) return
    value.end = this.tick()
    value.done = true
  }

  saw(life: number, read: Omit<Read, 'end'>): void {
    if (this.isOf(life)) this.reads.push({ ...read, end: this.tick() })
  }

  removed(life: number, removal: Omit<Removal, 'end'>): void {
    if (this.isOf(life)) this.removals.push({ ...removal, end: this.tick() })
  }

  /** Closes the cache, and opens another over the same directory. */
  reopen(): Promise<void> {
    return this.#next(async (old) => {
      await old.close()
      this.#over()
    })
  }

  /** The process dies, and another opens what it left. */
  kill(): Promise<void> {
    return this.#next(async (old) => {
      const left = this.#dir
      this.#dir = killed(left)
      this.kills.push(this.#over())
      const gone = old.close().then(() => rmSync(left, { recursive: true }))
      this.#dying.push(gone)
    })
  }

  async close(): Promise<void> {
    await (await this.#cache).close()
    await Promise.all(this.#dying)
    if (this.#dir !== '') rmSync(this.#dir, { recursive: true })
  }

  #next(end: (old: Cache<User>) => Promise<void>): Promise<void> {
    const old = this.#cache
    const next = old.then(end).then(() => this.#open())
    this.#cache = next
    return next.then(() => undefined)
  }

  #open(): Promise<Cache<User>> {
    const { writePolicy, tiers } = this.#setup
    return createCache<User>({ tiers: tiers(this.#dir), writePolicy, pressure: false, bufferPool })
  }

  /** Nothing can become any more of what is under way. */
  #over(): number {
    this.#life += 1
    const at = this.tick()
    for (const value of this.values) if (value.end === Number.POSITIVE_INFINITY) value.end = at
    return at
  }
}

export const setupOf = (
  kind: 'memory' | 'file' | 'tiers' | 'three tiers',
  writePolicy: WritePolicy,
): Omit<Setup, 'tiers'> => ({
  dir: kind === 'memory' ? undefined : emptyDir(),
  writePolicy,
  durable: kind === 'file' || (kind === 'tiers' && writePolicy === 'through'),
})
