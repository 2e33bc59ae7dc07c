import { z } from 'zod'
import { withinIssue } from '../config/option.js'
import { memoryStoreOptions } from '../config/schema.js'
import type { Duration } from '../config/units.js'
import { ConfigError } from '../errors.js'
import { aging, SHARED_STORE } from '../store/aging/aging.js'
import { agingOptions } from '../store/aging/options.js'
import { fileStore } from '../store/file/index.js'
import { type FileStoreOptions, fileStoreOptions, readFileOptions } from '../store/file/options.js'
import { memoryStore } from '../store/memory/index.js'
import { readMemoryOptions } from '../store/memory/options.js'
import { nullStore } from '../store/null.js'
import type { Store } from '../store/store.js'

/*
 * A tier in the options of a cache: a store, or what one is to be made of, which a file can say, too.
 */

/** What a tier is made of, by the name of its store: `store`, and beside it the options of `memoryStore` or `fileStore`. */
export const TIER_SCHEMAS = {
  memory: z
    .strictObject({ store: z.literal('memory') })
    .extend(memoryStoreOptions.shape)
    .extend(agingOptions.shape),
  file: z
    .strictObject({ store: z.literal('file') })
    .extend(fileStoreOptions.shape)
    .extend(agingOptions.shape),
  null: z.strictObject({ store: z.literal('null') }),
} as const

/** A tier as data. */
export type TierOptions =
  | z.input<typeof TIER_SCHEMAS.memory>
  | z.input<typeof TIER_SCHEMAS.file>
  | z.input<typeof TIER_SCHEMAS.null>

const KINDS = Object.keys(TIER_SCHEMAS) as TierKind[]
export type TierKind = keyof typeof TIER_SCHEMAS

const STORE_CALLS = [
  'open',
  'find',
  'draft',
  'revise',
  'delete',
  'clear',
  'entries',
  'stats',
  'close',
] as const

/** More than anybody has kinds of memory for. */
const MOST_TIERS = 16

export function isStore(value: unknown): value is Store {
  if (typeof value !== 'object' || value === null) return false
  const store = value as Record<string, unknown>
  const { name, maxItemBytes } = value as Store
  if (typeof name !== 'string' || typeof maxItemBytes !== 'number' || !(maxItemBytes >= 0)) return false
  return STORE_CALLS.every((call) => typeof store[call] === 'function')
}

/** Which kind of store a tier as data names; undefined where it names none. */
export function kindOf(value: unknown): TierKind | undefined {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'store')) return undefined
  const { store } = value as { readonly store: unknown }
  return KINDS.find((kind) => kind === store)
}

const tierOption = z.custom<Store | TierOptions>().check(({ value, issues }) => {
  if (isStore(value)) return
  const kind = kindOf(value)
  if (kind !== undefined) {
    const schema = TIER_SCHEMAS[kind]
    const result = schema.safeParse(value, { reportInput: true })
    for (const issue of result.error?.issues ?? []) issues.push(withinIssue(issue, schema))
  } else if (typeof value === 'object' && value !== null && Object.hasOwn(value, 'store')) {
    const { store } = value as unknown as { readonly store: unknown }
    issues.push({ code: 'invalid_value', values: KINDS, input: store, path: ['store'] })
  } else {
    const message = "want a store, such as memoryStore(), or what one is made of, such as { store: 'memory' }"
    issues.push({ code: 'custom', message, input: value, path: [] })
  }
})

/** Any tier: what is wrong of one is said behind it. */
export const anyTier = z.custom<Store | TierOptions>()

export const tiersOption = z
  .array(anyTier)
  .min(1, 'want at least one store')
  .max(MOST_TIERS, `want at most ${MOST_TIERS} stores`)
  // Only then: each that is wrong is complained of by itself.
  .pipe(z.array(tierOption))

/** Checks what one option of a tier says about another. @throws `ERR_DREY_CONFIG` with its path below `at` */
export function checkTier(tier: Store | TierOptions, at: string): void {
  const kind = kindOf(tier)
  if (kind === undefined || kind === 'null') return
  const { ttl, options } = partsOf(tier)
  if (kind === 'memory') {
    const { name } = readMemoryOptions(options, at)
    if (ttl !== undefined && name !== undefined) throw new ConfigError(`${at}.${SHARED_STORE}`)
  } else readFileOptions(options as FileStoreOptions, at)
}

/** The store that a checked tier is, or is made of. */
export function storeOf(tier: Store | TierOptions): Store {
  const kind = kindOf(tier)
  if (kind === undefined) return tier as Store
  if (kind === 'null') return nullStore()
  const { ttl, options } = partsOf(tier)
  const store = kind === 'memory' ? memoryStore(options) : fileStore(options as FileStoreOptions)
  return ttl === undefined ? store : aging(store, ttl)
}

/** What a tier as data says of itself, and the options of its store. */
function partsOf(tier: Store | TierOptions): {
  readonly ttl: Duration | undefined
  readonly options: object
} {
  const { store: _, ttl, ...options } = tier as z.input<typeof TIER_SCHEMAS.file>
  return { ttl, options }
}
