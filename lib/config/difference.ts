import { isDeepStrictEqual } from 'node:util'
import type { OptionChange } from '../store/store.js'
import { at, isPlain, merge } from './merge.js'
import type { OptionFacts } from './option.js'
import type { Row } from './rows.js'
import { parseDuration, parseSize } from './units.js'
import { type Problems, showValue } from './validate.js'

/** A value as it is told: without units of its own, in bytes or milliseconds. */
export function plainValue({ unit }: OptionFacts, value: unknown): unknown {
  const number = unit === 'bytes' ? parseSize(value) : unit === 'ms' ? parseDuration(value) : undefined
  return number ?? value
}

/** Whether two values of an option say the same. What is no data is the same only as itself. */
export function sameValue(one: unknown, other: unknown): boolean {
  return one === other || (isData(one) && isData(other) && isDeepStrictEqual(copy(one), copy(other)))
}

/** Objects as `merge` makes them, whoever made these. */
function copy(value: unknown): unknown {
  return merge(undefined, value)
}

function isData(value: unknown): boolean {
  return typeof value !== 'object' || value === null || Array.isArray(value) || isPlain(value)
}

/** What differs between two sets of checked options; what takes a restart is a problem. */
export function differences(
  rows: readonly Row[],
  from: unknown,
  to: unknown,
  problems: Problems,
): OptionChange[] {
  const changes: OptionChange[] = []
  for (const { path, facts, group } of rows) {
    if (group) continue
    const change = { path, from: plainValue(facts, at(from, path)), to: plainValue(facts, at(to, path)) }
    if (sameValue(change.from, change.to)) continue
    if (facts.live === true) changes.push(change)
    else problems.add(facts.secret === true ? kept(path, facts.live) : refusal(change, facts.live))
  }
  return changes
}

/** The same of an option whose value is told to nobody. */
function kept(path: string, why: string): string {
  return `${path}: got another value; it stays what it is until a restart: ${why}`
}

/** What is said of an option that takes a restart. */
export function refusal({ path, from, to }: OptionChange, why: string): string {
  return `${path}: got ${showValue(to)}; it stays ${showValue(from)} until a restart: ${why}`
}
