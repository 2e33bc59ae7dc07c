import type { BufferPoolOptions } from '../../../lib/buffers/options.js'
import { BufferPool } from '../../../lib/buffers/pool.js'
import { CRITICAL_FACTOR, type PoolPressure } from '../../../lib/buffers/pressure.js'
import { jsSupply } from '../../../lib/buffers/supply/js.js'
import { nativeSupply } from '../../../lib/buffers/supply/native.js'
import type { SlabSupply } from '../../../lib/buffers/supply/supply.js'
import { native } from '../../../lib/native/loader.js'
import { FakeClock } from '../../helpers/clock.js'

export const KiB = 1024
export const MiB = 1024 * KiB

const addon = native()

/** Those that run on this path. */
export const SUPPLIES: ReadonlyArray<readonly [string, () => SlabSupply]> = [
  ...(addon === undefined ? [] : ([['native', () => nativeSupply(addon)]] as const)),
  ['js', () => jsSupply],
]

/** A supply that counts, and refuses while it is told to. */
export class WatchedSupply implements SlabSupply {
  readonly kind: 'native' | 'js'
  readonly returns: boolean
  readonly #inner: SlabSupply
  refuses = false
  /** Bytes of all that was ever taken. */
  taken = 0
  takes = 0
  givenBack = 0

  constructor(inner: SlabSupply) {
    this.kind = inner.kind
    this.returns = inner.returns
    this.#inner = inner
  }

  take(bytes: number): ArrayBuffer | undefined {
    if (this.refuses) return undefined
    this.taken += bytes
    this.takes += 1
    return this.#inner.take(bytes)
  }

  giveBack(slab: ArrayBuffer): boolean {
    const done = this.#inner.giveBack(slab)
    if (done) this.givenBack += slab.byteLength
    return done
  }
}

/** Pressure that is what a test says. */
export class ToldPressure implements PoolPressure {
  readonly listeners = new Set<() => void>()
  #factor = 1

  factor(): number {
    return this.#factor
  }

  get critical(): boolean {
    return this.#factor <= CRITICAL_FACTOR
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  tell(factor: number): void {
    this.#factor = factor
    for (const listener of this.listeners) listener()
  }
}

export interface Rig {
  readonly pool: BufferPool
  readonly clock: FakeClock
  readonly supply: WatchedSupply
  readonly pressure: ToldPressure
}

export function rig(options: BufferPoolOptions, inner: SlabSupply): Rig {
  const clock = new FakeClock()
  const supply = new WatchedSupply(inner)
  const pressure = new ToldPressure()
  return { pool: new BufferPool(options, { clock, supply, pressure }), clock, supply, pressure }
}

/** What lies where: to find two that share memory. */
export function overlap(a: Buffer, b: Buffer): boolean {
  if (a.buffer !== b.buffer) return false
  return a.byteOffset < b.byteOffset + b.length && b.byteOffset < a.byteOffset + a.length
}
