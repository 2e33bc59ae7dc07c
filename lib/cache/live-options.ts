import { differences, plainValue, refusal, sameValue } from '../config/difference.js'
import type { LoadedConfig } from '../config/file/load.js'
import { cacheOptionsWith } from '../config/file/with-file.js'
import { at, isPlain, merge } from '../config/merge.js'
import { rowsOf } from '../config/rows.js'
import { memoryStoreOptions } from '../config/schema.js'
import { Problems, showValue } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import { agingOptions } from '../store/aging/options.js'
import { fileStoreOptions } from '../store/file/options.js'
import type { OptionChange, Store, StoreChange } from '../store/store.js'
import {
  type CacheSettings,
  type Checked,
  checkCacheOptions,
  type SharedRuntime,
  settingsOf,
} from './options.js'
import { type CacheOptions, cacheOptions } from './schema.js'
import { isStore, kindOf } from './tier-options.js'

/** What `configure` of one tier takes: options of its store. */
export type TierPatch = Readonly<Record<string, unknown>>

/** What `configure` of a cache takes: options that are to be others. Those of tiers by their place, or by the name of the tier. */
export type CachePatch = Omit<CacheOptions, 'configFile' | 'watch' | 'tiers'> & {
  readonly tiers?: ReadonlyArray<TierPatch | undefined> | Readonly<Record<string, TierPatch>> | undefined
}

/** Where options come from, the last first. */
interface Sources {
  readonly file: LoadedConfig | undefined
  /** In code: given to `createCache`, and to `configure` since. */
  readonly code: unknown
  /** Of tiers that are given as data, since. */
  readonly tiers: ReadonlyMap<number, TierPatch>
}

/** Rows that `tiers` are looked at apart from. */
const ROWS = rowsOf(cacheOptions).filter(({ path }) => path !== 'tiers')

const TIER_ROWS = { memory: rowsOf(memoryStoreOptions), file: rowsOf(fileStoreOptions), null: [] } as const

/** What a group says for all of its caches. */
const SHARED = ['background', 'pressure', 'bufferPool', 'refresh.concurrency', 'refresh.queue']

/**
 * The options of a cache that is open, and how they become others: all that is asked for at once, or nothing.
 *
 * Invariants: `#checked` is what holds, and made of `#sources`; both change together, when all of a change was made. Changes are made one
 * after the other.
 */
export class LiveOptions {
  readonly #stores: readonly Store[]
  readonly #runtime: SharedRuntime | undefined
  #sources: Sources
  #checked: Checked
  #last: Promise<unknown> = Promise.resolve()

  /** @param checked what `code` over `file` comes to, and `stores` were made of */
  constructor(
    code: unknown,
    file: LoadedConfig | undefined,
    checked: Checked,
    stores: readonly Store[],
    runtime: SharedRuntime | undefined,
  ) {
    this.#sources = { file, code, tiers: new Map() }
    this.#checked = checked
    this.#stores = stores
    this.#runtime = runtime
  }

  /** As `Cache.configure`. `become` makes what is the cache's own, at once. */
  configure(patch: unknown, become: (settings: CacheSettings) => void): Promise<OptionChange[]> {
    return this.#inTurn(() => this.#change(this.#patched(patch), become))
  }

  /** The same of all options that there are in code, in place of those that there were. */
  replace(code: unknown, become: (settings: CacheSettings) => void): Promise<OptionChange[]> {
    return this.#inTurn(() => this.#change({ ...this.#next(), code, tiers: new Map() }, become))
  }

  /** The same of a file that changed. */
  reload(file: LoadedConfig, become: (settings: CacheSettings) => void): Promise<OptionChange[]> {
    return this.#inTurn(() => this.#change({ ...this.#next(), file }, become))
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(told)
    return done
  }

  #next(): Next {
    return { ...this.#sources, direct: new Map() }
  }

  #patched(patch: unknown): Next {
    if (!isPlain(patch))
      throw new ConfigError(`configure: got ${showValue(patch)}; want an object of options`)
    const { tiers, ...rest } = patch
    const problems = new Problems()
    if (this.#runtime !== undefined) {
      for (const name of SHARED) {
        if (at(rest, name) === undefined) continue
        problems.add(`${name}: is said by the group for all of its caches, and stays`)
      }
    }
    const { code, tiers: before } = this.#sources
    const next = { ...this.#next(), code: merge(code, rest), tiers: new Map(before) }
    for (const [index, one] of this.#tierPatches(tiers, problems)) {
      if (isStore(this.#checked.given.tiers?.[index])) next.direct.set(index, one)
      else next.tiers.set(index, merge(before.get(index), one) as TierPatch)
    }
    problems.settle()
    return next
  }

  /** By the place of the tier. */
  #tierPatches(tiers: unknown, problems: Problems): Map<number, TierPatch> {
    const patches = new Map<number, TierPatch>()
    if (tiers === undefined) return patches
    const names = this.#stores.map(({ name }) => name)
    const entries: Array<readonly [string, number, unknown]> = []
    if (Array.isArray(tiers))
      for (const [place, one] of tiers.entries()) entries.push([`${place}`, place, one])
    else if (isPlain(tiers)) {
      for (const [name, one] of Object.entries(tiers)) {
        const place = names.indexOf(name)
        const unique = place === names.lastIndexOf(name)
        entries.push([name, unique ? place : -1, one])
      }
    } else problems.add(`tiers: got ${showValue(tiers)}; want a list, or options by the name of the tier`)
    for (const [called, place, one] of entries) {
      if (place < 0 || place >= names.length) {
        problems.add(`tiers.${called}: no such tier, or more than one; there are ${names.join(', ')}`)
      } else if (one !== undefined && !isPlain(one)) {
        problems.add(`tiers.${called}: got ${showValue(one)}; want an object of options`)
      } else if (one !== undefined) patches.set(place, one)
    }
    return patches
  }

  async #change(next: Next, become: (settings: CacheSettings) => void): Promise<OptionChange[]> {
    const checked = checkCacheOptions(totalOf(next), this.#runtime)
    const problems = new Problems()
    const rows =
      this.#runtime === undefined
        ? ROWS
        : ROWS.filter(({ path }) => !SHARED.some((name) => path === name || path.startsWith(`${name}.`)))
    const own = differences(rows, this.#checked.given, checked.given, problems)
    const stores = this.#storeChanges(checked, next.direct, problems)
    problems.settle()
    await this.#make(
      stores.map(({ change }) => change),
      checked,
      become,
    )
    const { direct: _, ...sources } = next
    this.#sources = sources
    this.#checked = checked
    const ofStores = stores.flatMap(({ place, change }) =>
      change.changes.map((one) => ({ ...one, path: `tiers.${place}.${one.path}` })),
    )
    return [...own, ...ofStores]
  }

  /** Makes everything, or takes back what was made. */
  async #make(
    changes: readonly StoreChange[],
    checked: Checked,
    become: (settings: CacheSettings) => void,
  ): Promise<void> {
    const made: StoreChange[] = []
    try {
      for (const change of changes) {
        await change.apply()
        made.push(change)
      }
      become(settingsOf(checked, this.#runtime))
    } catch (error) {
      become(settingsOf(this.#checked, this.#runtime))
      for (const change of made.reverse()) {
        try {
          await change.undo()
        } catch (failure) {
          // The others are taken back nevertheless; who asked is told of the first failure.
          process.emitWarning(`a change of a tier could not be taken back: ${String(failure)}`)
        }
      }
      throw error
    }
  }

  /** What the stores of tiers are to change, each checked by the store itself. */
  #storeChanges(
    checked: Checked,
    direct: ReadonlyMap<number, TierPatch>,
    problems: Problems,
  ): Array<{ readonly place: number; readonly change: StoreChange }> {
    const before = this.#checked.given.tiers ?? []
    const after = checked.given.tiers ?? []
    if (before.length !== after.length || before.some((tier, i) => !sameTier(tier, after[i]))) {
      problems.add(
        'tiers: there are others than when the cache was opened; they stay what they are until a restart',
      )
      return []
    }
    return after.flatMap((tier, place) => {
      const patch = isStore(tier) ? direct.get(place) : tierPatch(place, before[place], tier, problems)
      if (patch === undefined || Object.keys(patch).length === 0) return []
      const change = problems.try(() => prepared(this.#stores[place]!, place, patch))
      return change === undefined ? [] : [{ place, change }]
    })
  }
}

/** Sources that are to be, and what tiers that are stores are to be told. */
interface Next extends Sources {
  readonly direct: Map<number, TierPatch>
}

function totalOf({ file, code, tiers }: Sources): unknown {
  const options = cacheOptionsWith(code, file)
  if (tiers.size === 0 || !isPlain(options)) return options
  const { tiers: given = [{ store: 'memory' }] } = options as CacheOptions
  return { ...options, tiers: given.map((tier, place) => merge(tier, tiers.get(place))) }
}

/** Whether a tier is the same store, or is made of the same kind. */
function sameTier(one: unknown, other: unknown): boolean {
  return isStore(one) || isStore(other) ? one === other : kindOf(one) === kindOf(other)
}

/** The options of a tier, given as data, that are to be others. */
function tierPatch(place: number, from: unknown, to: unknown, problems: Problems): TierPatch {
  // What the tier itself says stays; the rest its store checks.
  differences(
    rowsOf(agingOptions, `tiers.${place}.`),
    { tiers: { [place]: from } },
    { tiers: { [place]: to } },
    problems,
  )
  const patch: Record<string, unknown> = {}
  for (const { path, facts, default: usual } of TIER_ROWS[kindOf(to)!]) {
    const before = at(from, path) ?? usual
    const after = at(to, path) ?? usual
    if (sameValue(plainValue(facts, before), plainValue(facts, after))) continue
    if (after !== undefined) patch[path] = after
    else {
      const change = { path: `tiers.${place}.${path}`, from: before, to: after }
      problems.add(
        refusal(change, 'what holds where it is not given is decided when the tier is made; want a value'),
      )
    }
  }
  return patch
}

/** @throws `ERR_DREY_CONFIG` with paths below the tier */
function prepared(store: Store, place: number, patch: TierPatch): StoreChange {
  if (store.configure === undefined) {
    const names = Object.keys(patch).map((name) => `tiers.${place}.${name}`)
    throw new ConfigError(
      names
        .map((name) => `${name}: the ${store.name} tier cannot be changed while it runs; want a restart`)
        .join('\n'),
    )
  }
  try {
    return store.configure(patch)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.message.replaceAll(/^configure\b/gm, `tiers.${place}`), { cause: error })
  }
}

// Who asked for it was told.
const told = (): undefined => undefined
