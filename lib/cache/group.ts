import { z } from 'zod'
import { bufferPoolOption, type PoolPlan, poolOf, readBufferPool } from '../buffers/choice.js'
import type { BufferPool } from '../buffers/pool.js'
import type { BufferPoolStats } from '../buffers/stats.js'
import { type Clock, systemClock } from '../clock.js'
import { group as groupOf, option } from '../config/option.js'
import { textOption } from '../config/schema.js'
import { validate } from '../config/validate.js'
import { ClosedError, ConfigError } from '../errors.js'
import { createLimiter, type Limiter, type LimiterOwner } from '../resilience/limiter/limiter.js'
import type { Pressure } from '../resilience/pressure/index.js'
import type { Cache } from './cache.js'
import { createCacheWith, type Seams } from './create.js'
import { assertOptions, type CacheOptions, detectorOf } from './options.js'
import { backgroundOption, pressureOption } from './schema.js'

const MOST_WEIGHT = 1000

export const groupOptions = z.strictObject({
  background: groupOf(
    'What all caches of the group do in the background, together: refreshes, and writes to tiers below the first. `concurrency`: so many at a time; who waits gets turns by weight. `queue`: how many refreshes of each cache may wait, and how many values for each of its tiers.',
    backgroundOption,
  ),
  /**
   * The pool that bodies of all caches pass through, with the group's life: `true`, or options; or one that you close after the group. Default: each
   * cache has its own.
   */
  bufferPool: option(
    "The pool that bodies of all caches pass through, with the group's life: `true`, or options; or one that you close after the group.",
    bufferPoolOption,
    { otherwise: 'each cache has its own', live: 'caches that are open have it' },
  ),
  /** As of `createCache`: one detector for all caches of the group. Default `true`. */
  pressure: option('As of `createCache`: one detector for all caches of the group.', pressureOption, {
    default: true,
    live: 'the detector is followed from when a cache opens',
  }),
})

export const ownOptions = z.object({
  /** Its part of the turns beside those of other caches of the group that wait, too: 1 to 1000. Default `1`. */
  weight: option(
    'Its part of the turns beside those of other caches of the group that wait, too: 1 to 1000.',
    z.int().min(1).max(MOST_WEIGHT),
    { default: 1, live: 'the cache has its turns since it was made' },
  ),
})

const nameOption = textOption(200)

/** Options of `createGroup`. */
export type GroupOptions = z.input<typeof groupOptions>

/** Options of `createCache` of a group: those of a cache, but for what the group has for all. */
export type GroupCacheOptions = Omit<CacheOptions, 'background' | 'pressure' | 'bufferPool' | 'refresh'> & {
  /** Its part of the turns beside those of other caches of the group that wait, too: 1 to 1000. Default 1. */
  readonly weight?: number | undefined
  /** As of a cache; how many at a time, and how many may wait, the group says. */
  readonly refresh?: Omit<NonNullable<CacheOptions['refresh']>, 'concurrency' | 'queue'> | undefined
}

/** What a group says of one of its caches. */
export interface GroupedStats {
  readonly name: string
  readonly weight: number
  /** Turns that it has now. */
  readonly running: number
  /** Turns that it waits for. Each tier asks for `background.concurrency` at a time at most. */
  readonly waiting: number
}

/** What a group says of itself. */
export interface GroupStats {
  /** Turns that there are. */
  readonly concurrency: number
  /** Those that are taken. */
  readonly running: number
  /** The caches that are open, in the order in which they were made. */
  readonly caches: readonly GroupedStats[]
  /** Of the pool that they share; undefined where each has its own, or none. */
  readonly pool: BufferPoolStats | undefined
}

/** Caches that share what works in the background. `createGroup` makes one. */
export interface CacheGroup {
  /**
   * Makes a cache of the group. Closing it leaves the group and the others as they are, and its name may be given again.
   *
   * @throws `ERR_DREY_CONFIG` for an option that is wrong, or that is the group's to say, and for a name that an open cache has; `ERR_DREY_CLOSED`
   * once the group is closed; and what `createCache` throws: the group is as before then.
   */
  createCache<User = unknown>(name: string, options?: GroupCacheOptions): Promise<Cache<User>>
  /** The caches that are open, by name. */
  readonly caches: ReadonlyMap<string, Cache>
  stats(): GroupStats
  /** Closes all caches at once, then what they share. Calling it again gives the same promise. @throws the first failure of a cache to close */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Makes a group of caches that share what works in the background: `background.concurrency` refreshes and writes to lower tiers at a time, of all
 * of them together, by weight where more wait. docs/reference/groups.md says what is shared and what is not.
 *
 * @throws `ERR_DREY_CONFIG` for an option that is wrong, with its path, its value and what would do
 */
export function createGroup(options: GroupOptions = {}): CacheGroup {
  return createGroupWith(options, { clock: systemClock })
}

/** As `createGroup`, with the clock given. */
export function createGroupWith(options: GroupOptions, seams: Seams): CacheGroup {
  return new Group(validate(groupOptions, options, 'group'), seams.clock)
}

/** A cache of the group: opening until `cache` is set. */
interface Member {
  readonly weight: number
  readonly owner: LimiterOwner
}

/**
 * Invariants: `#members` has a name from when its cache begins to open until it is closed, or failed to open; `caches` from when it is open.
 */
class Group implements CacheGroup {
  readonly caches = new Map<string, Cache>()
  readonly #clock: Clock
  readonly #limiter: Limiter
  readonly #concurrency: number
  readonly #queue: number
  readonly #pressure: Pressure | undefined
  readonly #plan: PoolPlan | undefined
  readonly #pool: BufferPool | undefined
  readonly #members = new Map<string, Member>()
  readonly #opening = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor({ background, bufferPool, pressure }: z.output<typeof groupOptions>, clock: Clock) {
    const given = bufferPool === undefined ? undefined : readBufferPool(bufferPool)
    this.#clock = clock
    this.#concurrency = background.concurrency
    this.#queue = background.queue
    this.#pressure = detectorOf(pressure)
    // What waits is bounded by each cache: one that floods takes no place of another.
    const queue = Number.MAX_SAFE_INTEGER
    this.#limiter = createLimiter({ name: 'group', concurrency: this.#concurrency, queue }, clock)
    this.#plan = given
    if (given?.kind === 'own') {
      this.#pool = poolOf(given, { clock, pressure: this.#pressure, onLeak: nothing })
      this.#plan = { kind: 'shared', pool: this.#pool! }
    }
  }

  createCache<User = unknown>(name: string, options: GroupCacheOptions = {}): Promise<Cache<User>> {
    const made = this.#create<User>(name, options)
    const over: Promise<void> = made.then(nothing, nothing).then(() => {
      this.#opening.delete(over)
    })
    this.#opening.add(over)
    return made
  }

  stats(): GroupStats {
    return {
      concurrency: this.#concurrency,
      running: this.#limiter.stats().active,
      caches: [...this.caches.keys()].map((name) => {
        const { weight, owner } = this.#members.get(name)!
        const { active, waiting } = owner.stats()
        return { name, weight, running: active, waiting }
      }),
      pool: this.#plan?.kind === 'shared' ? this.#plan.pool.stats() : undefined,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #create<User>(name: string, options: GroupCacheOptions): Promise<Cache<User>> {
    this.#assertOpen()
    validate(nameOption, name, 'name')
    const { weight, rest } = readOwn(options)
    if (this.#members.has(name)) {
      throw new ConfigError(
        `name: the group has a cache ${JSON.stringify(name)} already; want another name, or close that one first`,
      )
    }
    const owner = this.#limiter.owner({ name, share: weight })
    this.#members.set(name, { weight, owner })
    const leave = (): void => {
      void owner.close()
      this.#members.delete(name)
      this.caches.delete(name)
    }
    try {
      const cache = await createCacheWith<User>(
        rest,
        { clock: this.#clock },
        {
          turns: { limiter: this.#limiter, owner },
          concurrency: this.#concurrency,
          queue: this.#queue,
          bufferPool: this.#plan,
          pressure: this.#pressure,
          onClosed: leave,
        },
      )
      if (this.#closing !== undefined) {
        await cache.close()
        this.#assertOpen()
      }
      this.caches.set(name, cache as Cache<unknown> as Cache)
      return cache
    } catch (error) {
      leave()
      throw error
    }
  }

  async #close(): Promise<void> {
    const closed = await Promise.allSettled([...this.caches.values()].map((cache) => cache.close()))
    // Those that open meanwhile are closed as soon as they have.
    await Promise.all(this.#opening)
    // Its turns come back as what was aborted ends, and nobody waits for that.
    void this.#limiter.close()
    await this.#pool?.close()
    for (const one of closed) if (one.status === 'rejected') throw one.reason
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError('the group is closed; make a new one')
  }
}

/** @throws `ERR_DREY_CONFIG` */
function readOwn(options: GroupCacheOptions): { readonly weight: number; readonly rest: CacheOptions } {
  assertOptions(options)
  const given = options as Readonly<Record<string, unknown>>
  const refresh = given['refresh'] as Readonly<Record<string, unknown>> | undefined
  const shared = [
    ...['background', 'pressure', 'bufferPool'].filter((name) => given[name] !== undefined),
    ...['concurrency', 'queue']
      .filter((name) => refresh?.[name] !== undefined)
      .map((name) => `refresh.${name}`),
  ]
  if (shared.length > 0) {
    throw new ConfigError(
      `${shared[0]}: is said by the group for all of its caches; want it in createGroup, and weight here`,
    )
  }
  const { weight, ...rest } = options
  const own = validate(ownOptions, { weight }, '')
  return { weight: own.weight, rest }
}

const nothing = (): undefined => undefined
