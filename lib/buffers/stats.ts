import { categoryOf } from './category.js'
import type { CopyStats } from './copier.js'
import type { LatencyStats } from './latency.js'
import type { PoolConfig } from './options.js'
import type { Stock } from './stock.js'
import { CATEGORIES, type SizeCategory } from './strategy.js'

/** What a pool counts beside what its classes count. By category where it is an array. */
export interface Counters {
  readonly views: Float64Array
  readonly direct: Float64Array
  readonly directBytes: Float64Array
  directPuts: number
  /** After `close`. */
  latePuts: number
  readonly refused: { foreign: number; sliced: number; again: number }
  readonly fallbacks: { full: number; pressure: number; refused: number }
  reductions: number
  reducedBytes: number
}

export function emptyCounters(): Counters {
  return {
    views: new Float64Array(CATEGORIES.length),
    direct: new Float64Array(CATEGORIES.length),
    directBytes: new Float64Array(CATEGORIES.length),
    directPuts: 0,
    latePuts: 0,
    refused: { foreign: 0, sliced: 0, again: 0 },
    fallbacks: { full: 0, pressure: 0, refused: 0 },
    reductions: 0,
    reducedBytes: 0,
  }
}

/** Buffers and their bytes. */
export interface Amount {
  readonly count: number
  readonly bytes: number
}

/** Numbers of one class. */
export interface ClassStats {
  readonly classBytes: number
  /** Those that were served from this class. */
  readonly gets: number
  /** The same by what was asked for: how many were of `atMost` so many bytes, and more than the one before. Those of none are left out. */
  readonly asked: ReadonlyArray<{ readonly atMost: number; readonly gets: number }>
  /** Those that found nothing idle. */
  readonly misses: number
  /** Those that found no room either, and were allocated. */
  readonly unserved: number
  readonly active: Amount
  readonly idle: Amount
  readonly slabs: number
  /** Buffers lost by their holders, ever. */
  readonly lost: number
}

/** Numbers of one category. */
export interface CategoryStats {
  /** By the size that was asked for. */
  readonly gets: number
  /** Those of them that were allocated for one use. */
  readonly direct: number
  /** By the size of the class. */
  readonly active: Amount
  readonly idle: Amount
}

/** Numbers of a pool, since it was made unless they are of now. */
export interface BufferPoolStats {
  readonly enabled: boolean
  /** Where slabs come from: `native`, mapped by the addon, or `js`, allocated by the engine. */
  readonly supply: 'native' | 'js'
  readonly gets: number
  /** Those that were taken. */
  readonly puts: number
  /** Gets that found an idle Buffer. */
  readonly hits: number
  /** Gets of a size that is pooled and that found none. */
  readonly misses: number
  /** `hits / (hits + misses)`; 1 while there are none. */
  readonly hitRate: number
  /** Gets that were allocated for one use. */
  readonly direct: Amount & {
    /** Those of them that were given back. */
    readonly puts: number
  }
  /** Puts that were refused, by why: not this pool's, a part of one of its Buffers, or back already. */
  readonly refused: { readonly foreign: number; readonly sliced: number; readonly again: number }
  /** Pooled Buffers that are out, now. */
  readonly active: Amount
  /** Pooled Buffers that are idle, now. */
  readonly idle: Amount
  /** Bytes of the slabs, now: what `maxBytes` bounds, together with `lingeringBytes`. */
  readonly heldBytes: number
  /** Bytes that were let go of and that the collector has not found yet, now: they serve again before anything new is taken. 0 with the native supply. */
  readonly lingeringBytes: number
  readonly maxBytes: number
  /** Buffers lost by their holders, ever; and the bytes that are held and can be lent to nobody for that reason, now. */
  readonly leaked: Amount
  /** Buffers that somebody wrote to after they were given back; in debug mode. */
  readonly poisoned: number
  readonly pressure: {
    /** Now. */
    readonly factor: number
    /** Gets that were allocated because memory was short. */
    readonly rejections: number
    /** Times that idle memory was given back because memory became shorter, and how much in all. */
    readonly reductions: number
    readonly reducedBytes: number
  }
  /** Bytes that were asked for, of those that were lent from the pool; 1 while there are none. */
  readonly efficiency: number
  readonly strategies: {
    readonly pooled: number
    readonly direct: number
    /** Gets that should have been pooled and were allocated, by why: all in use, memory short, or refused by the system. */
    readonly fallbacks: { readonly full: number; readonly pressure: number; readonly refused: number }
  }
  /** Of `copy` and `tee`. */
  readonly copies: CopyStats
  readonly classes: readonly ClassStats[]
  readonly categories: Readonly<Record<SizeCategory, CategoryStats>>
  /** Nanoseconds of `get` by category; with `detailedMetrics`. */
  readonly latency?: Partial<Readonly<Record<SizeCategory, LatencyStats>>>
}

/** What the numbers are made of. */
export interface Sources {
  readonly config: PoolConfig
  readonly stock: Stock
  readonly counters: Counters
  readonly poisoned: number
  readonly latency: Partial<Record<SizeCategory, LatencyStats>> | undefined
  readonly factor: number
  readonly copies: CopyStats
}

export function statsOf({
  config,
  stock,
  counters,
  poisoned,
  latency,
  factor,
  copies,
}: Sources): BufferPoolStats {
  const classes = stock.magazines.map(
    ({ bytes, gets, misses, unserved, out, count, slabs, lost, least, parts, wholes }): ClassStats => ({
      classBytes: bytes,
      gets,
      asked: askedOf(bytes, least, parts, wholes),
      misses,
      unserved,
      active: { count: out, bytes: out * bytes },
      idle: { count, bytes: count * bytes },
      slabs: slabs.length,
      lost,
    }),
  )
  const pooled = sum(classes, ({ gets }) => gets)
  const misses = sum(classes, (one) => one.misses)
  const lost = sum(classes, (one) => one.lost)
  const active = amount(classes.map((one) => one.active))
  const direct = total(counters.direct)
  const asked = sum(stock.magazines, ({ wholes, bytes, viewBytes }) => wholes * bytes + viewBytes)
  const lent = sum(classes, ({ gets, classBytes }) => gets * classBytes)
  const tried = pooled + counters.fallbacks.full + counters.fallbacks.pressure + counters.fallbacks.refused
  return {
    enabled: config.enabled,
    supply: stock.supply,
    gets: pooled + direct,
    puts: pooled - lost - active.count + counters.directPuts,
    hits: tried - misses,
    misses,
    hitRate: tried === 0 ? 1 : (tried - misses) / tried,
    direct: { count: direct, bytes: total(counters.directBytes), puts: counters.directPuts },
    refused: { ...counters.refused },
    active,
    idle: amount(classes.map(({ idle }) => idle)),
    heldBytes: stock.held,
    lingeringBytes: stock.lingeringBytes,
    maxBytes: config.maxBytes,
    leaked: { count: lost, bytes: stock.lostBytes },
    poisoned,
    pressure: {
      factor,
      rejections: counters.fallbacks.pressure,
      reductions: counters.reductions,
      reducedBytes: counters.reducedBytes,
    },
    efficiency: lent === 0 ? 1 : asked / lent,
    strategies: { pooled, direct, fallbacks: { ...counters.fallbacks } },
    copies,
    classes,
    categories: categoriesOf(config, stock, counters, classes),
    ...(latency === undefined ? {} : { latency }),
  }
}

/** Parts of a class, the last with those who asked for all of it. */
function askedOf(bytes: number, least: number, parts: Float64Array, wholes: number): ClassStats['asked'] {
  return Array.from(parts, (gets, at) => ({
    atMost: least + Math.ceil(((at + 1) * (bytes - least)) / parts.length),
    gets: at === parts.length - 1 ? gets + wholes : gets,
  })).filter(({ gets }) => gets > 0)
}

function categoriesOf(
  config: PoolConfig,
  stock: Stock,
  counters: Counters,
  classes: readonly ClassStats[],
): Record<SizeCategory, CategoryStats> {
  const of = (name: SizeCategory, at: number): CategoryStats => {
    const mine = classes.filter(({ classBytes }) => categoryOf(config, classBytes) === name)
    const wholes = sum(stock.magazines, ({ bytes, wholes }) =>
      categoryOf(config, bytes) === name ? wholes : 0,
    )
    return {
      gets: wholes + counters.views[at]! + counters.direct[at]!,
      direct: counters.direct[at]!,
      active: amount(mine.map(({ active }) => active)),
      idle: amount(mine.map(({ idle }) => idle)),
    }
  }
  return Object.fromEntries(CATEGORIES.map((name, at) => [name, of(name, at)])) as Record<
    SizeCategory,
    CategoryStats
  >
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((before, one) => before + of(one), 0)
}

function total(numbers: Float64Array): number {
  return numbers.reduce((before, number) => before + number, 0)
}

function amount(all: readonly Amount[]): Amount {
  return { count: sum(all, ({ count }) => count), bytes: sum(all, ({ bytes }) => bytes) }
}
