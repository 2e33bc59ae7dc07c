import type { z } from 'zod'
import { ConfigError } from '../errors.js'
import { nearest } from './nearest.js'
import { schemaAt, shapeOf } from './option.js'

type Issue = z.core.$ZodIssue
type Shape = Readonly<Record<string, z.ZodType>>

/** Names that a message lists of those that are wrong. */
const MOST_NAMED = 5

/**
 * What `schema` makes of `value`, with defaults, or `ERR_DREY_CONFIG` that names the path of each wrong option below `at`, its
 * value and what would do, a line for each.
 */
export function validate<T extends z.ZodType>(schema: T, value: unknown, at: string): z.output<T> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map((issue) => problemOf(issue, schema, at)).join('\n'))
}

/** Gathers what is wrong, so that all of it is told at once. */
export class Problems {
  readonly #lines: string[] = []

  add(line: string): void {
    this.#lines.push(line)
  }

  /** What `read` gives; undefined when it throws `ERR_DREY_CONFIG`, which is kept. */
  try<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      this.#lines.push(...error.message.split('\n'))
      return undefined
    }
  }

  /** @throws `ERR_DREY_CONFIG` with a line for each, if there was any */
  settle(): void {
    if (this.#lines.length > 0) throw new ConfigError([...new Set(this.#lines)].join('\n'))
  }
}

/** A value for a message: short whatever it is, and made without its `toJSON` or `toString`, which may fail. */
export function showValue(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(value))
  if (typeof value === 'bigint') return showBigint(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return cut(String(value))
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`
  const names = Object.keys(value)
  if (names.length === 0) return 'an object without members of its own'
  const some = names.slice(0, 3).map((name) => showName(name))
  return `an object with ${some.join(', ')}${names.length > some.length ? ', ...' : ''}`
}

function problemOf(issue: Issue, schema: z.ZodType, at: string): string {
  const path = join(at, issue.path)
  if (issue.code === 'unrecognized_keys') {
    const { known = shapeOf(schemaAt(schema, issue.path)) } = issue as { readonly known?: Shape }
    return unknownOf(issue.keys, known ?? {}, path)
  }
  return `${path === '' ? 'options' : path}: got ${showValue(issue.input)}; ${wantOf(issue)}`
}

const TYPES: Readonly<Record<string, string>> = {
  object: 'an object of options',
  array: 'an array',
  boolean: 'true or false',
  string: 'text',
  number: 'a number',
  int: 'a whole number',
}

/** What would do in place of what the issue complains of. */
function wantOf(issue: Issue): string {
  if (issue.code === 'invalid_type') return `want ${TYPES[issue.expected] ?? issue.expected}`
  if (issue.code === 'invalid_value') {
    const values = issue.values.map((value) => showValue(value)).join(', ')
    return issue.values.length > 1 ? `want one of ${values}` : `want ${values}`
  }
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    const wants = issue.errors.map(([first]) => (first === undefined ? '' : wantOf(first)))
    return `want ${[...new Set(wants)].map((want) => want.replace(/^want /, '')).join(', or ')}`
  }
  return issue.message.charAt(0).toLowerCase() + issue.message.slice(1)
}

/** What is said of names that no option has: those that are near to one first, each with it. */
function unknownOf(keys: readonly string[], shape: Shape, path: string): string {
  const known = Object.keys(shape)
  const there = known.length > 0 ? `there are ${known.join(', ')}` : ''
  const lines: string[] = []
  const strange: string[] = []
  for (const key of keys) {
    const near = nearest(key, known)
    const meant = near === undefined ? deeper(key, shape) : [near]
    if (meant.length === 0 || lines.length === MOST_NAMED) strange.push(join(path, [key]))
    else
      lines.push(
        `${join(path, [key])}: no such option; did you mean ${meant.map((name) => join(path, name.split('.'))).join(' or ')}? ${there}`,
      )
  }
  if (strange.length > 0) {
    const named = strange.slice(0, MOST_NAMED)
    const more = strange.length > named.length ? ` and ${strange.length - named.length} more` : ''
    lines.push(`${named.join(', ')}${more}: no such option${there === '' ? '' : `; ${there}`}`)
  }
  return lines.join('\n')
}

/** Where an option of that name stands one level down. */
function deeper(key: string, shape: Shape): string[] {
  const places = Object.keys(shape).filter((name) => Object.hasOwn(shapeOf(shape[name]) ?? {}, key))
  return places.slice(0, 3).map((name) => `${name}.${key}`)
}

function join(at: string, path: readonly PropertyKey[]): string {
  return [at, ...path.map((step) => showName(String(step)))].filter((part) => part !== '').join('.')
}

/** A name of an option as it stands in code: as it is where it is one, else quoted and short. */
function showName(name: string): string {
  return /^\w{1,60}$/.test(name) ? name : showValue(name)
}

function cut(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

function showBigint(value: bigint): string {
  const digits = 10n ** 40n
  return value < digits && value > -digits ? `${value}n` : 'a bigint of more than 40 digits'
}
