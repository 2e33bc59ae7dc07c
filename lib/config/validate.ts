import { z } from 'zod'
import { ConfigError } from '../errors.js'

type Issue = z.core.$ZodIssue

/**
 * What `schema` makes of `value`, or `ERR_DREY_CONFIG` that names the path of each wrong option below `at`, its
 * value and what would do.
 */
export function validate<T extends z.ZodType>(schema: T, value: unknown, at: string): z.output<T> {
  const result = schema.safeParse(value, { reportInput: true })
  if (result.success) return result.data
  throw new ConfigError(result.error.issues.map((issue) => problemOf(issue, schema, at)).join('. '))
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
    const named = issue.keys.slice(0, 5).map((key) => join(path, [key]))
    const more = issue.keys.length > named.length ? ` and ${issue.keys.length - named.length} more` : ''
    const known = namesAt(schema, issue.path)
    return `${named.join(', ')}${more}: no such option${known.length > 0 ? `; there are ${known.join(', ')}` : ''}`
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

/** Names of the options that `schema` has at `path`. */
function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let inner: unknown = schema
  for (const step of path) {
    inner = unwrapped(inner)
    if (inner instanceof z.ZodObject) inner = inner.shape[String(step)]
    else if (inner instanceof z.ZodArray) inner = inner.element
  }
  inner = unwrapped(inner)
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : []
}

function unwrapped(schema: unknown): unknown {
  let inner = schema
  while (inner instanceof z.ZodOptional) inner = inner.unwrap()
  return inner
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
