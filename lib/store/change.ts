import { isDeepStrictEqual } from 'node:util'
import { type ChunkCodec, ownNameOf, readCompression } from '../compression/index.js'
import { showValue } from '../config/validate.js'
import { ConfigError } from '../errors.js'
import type { Later, OptionChange, StoreChange } from './store.js'

/** What stores are changed at: the beginning of each path in an error. */
export const AT = 'configure'

/** An option that is what it was when the store was made, and why. */
export interface Fixed {
  readonly value: unknown
  /** What an option as it is given says, in the form of `value`. Default: itself. */
  readonly read?: (given: unknown) => unknown
  /** Goes on after "it stays what the store was made with: ". */
  readonly why: string
}

/**
 * What of `patch` may be changed: all but fixed options that were given the value that they have, and those that are undefined.
 *
 * @throws `ERR_DREY_CONFIG` for a fixed option that is to be another
 */
export function withoutFixed(patch: unknown, fixed: Readonly<Record<string, Fixed>>): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const live: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [name, value] of Object.entries(patch)) {
    const known = Object.hasOwn(fixed, name) ? fixed[name] : undefined
    if (known === undefined) live[name] = value
    else if (value !== undefined && !same(known.read?.(value) ?? value, known.value)) {
      problems.push(
        `${AT}.${name}: got ${showValue(value)}; it stays what the store was made with, ${showValue(known.value)}: ${known.why}`,
      )
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join('\n'))
  return live
}

/** What differs between two sets of options, in the order of `names`. */
export function differences<T extends object>(
  from: T,
  to: T,
  names: ReadonlyArray<keyof T & string>,
): OptionChange[] {
  return names
    .filter((path) => !same(from[path], to[path]))
    .map((path) => ({ path, from: from[path], to: to[path] }))
}

/** Whether two values of an option say the same. What has methods, such as a policy of the user's own, is the same only as itself. */
function same(one: unknown, other: unknown): boolean {
  return one === other || (isData(one) && isData(other) && isDeepStrictEqual(one, other))
}

function isData(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === Array.prototype
}

/** Has changes of one store made one after another, so that each begins with what the one before left. */
export function inTurns(): (change: StoreChange) => StoreChange {
  let last: Promise<unknown> = Promise.resolve()
  const after = (work: () => Later<void>): Promise<void> => {
    const done = last.then(work)
    // Whoever asked for it is told what it failed with.
    last = done.catch(() => undefined)
    return done
  }
  return ({ changes, apply, undo }) => ({ changes, apply: () => after(apply), undo: () => after(undo) })
}

/** Several changes as one: made in their order, and taken back the other way round when one fails. */
export function together(parts: readonly StoreChange[]): StoreChange {
  const back = async (made: readonly StoreChange[]): Promise<void> => {
    for (const part of [...made].reverse()) await part.undo()
  }
  return {
    changes: parts.flatMap(({ changes }) => changes),
    apply: async () => {
      const made: StoreChange[] = []
      try {
        for (const part of parts) {
          await part.apply()
          made.push(part)
        }
      } catch (error) {
        await back(made)
        throw error
      }
    },
    undo: () => back(parts),
  }
}

/**
 * A change from one set of options to another, which `become` makes. What `become` fails at it has not begun, or `become` brings back.
 *
 * @param read gives the options as they are when the change is made: another may have come between
 */
export function changeOf<T extends object>(
  changes: readonly OptionChange[],
  read: () => { readonly from: T; readonly to: T },
  become: (options: T) => Later<void>,
): StoreChange {
  let before: T | undefined
  return {
    changes,
    apply: () => {
      const { from, to } = read()
      before = from
      try {
        const made = become(to)
        return made instanceof Promise ? made.catch((error: unknown) => back(error)) : made
      } catch (error) {
        return back(error)
      }
    },
    undo: () => {
      const to = before
      before = undefined
      return to === undefined ? undefined : become(to)
    },
  }

  function back(error: unknown): never {
    // There is nothing to be taken back.
    before = undefined
    throw error
  }
}

/** Another option `compression`, for what is written from then on; undefined stays as it is. @throws `ERR_DREY_CONFIG` */
export function compressionChange(codec: ChunkCodec, option: unknown): StoreChange {
  const from = codec.config
  const to = option === undefined ? from : readCompression(option, `${AT}.compression`)
  const why = codec.conflict(to)
  if (why !== undefined) throw new ConfigError(`${AT}.${why}`)
  const isOwn = ownNameOf(to.compressor) !== undefined && to.compressor !== from.compressor
  const changes =
    isOwn || !same(from.shown, to.shown) ? [{ path: 'compression', from: from.shown, to: to.shown }] : []
  return changeOf(
    changes,
    () => ({ from: codec.config, to }),
    (config) => codec.configure(config),
  )
}
