import { readFileSync } from 'node:fs'
import { describe, expect, expectTypeOf, test } from 'vitest'
import * as errors from '../../lib/errors.js'
import {
  abortedBy,
  type ConfigError,
  DreyError,
  type DreyErrorCode,
  type KeyError,
} from '../../lib/errors.js'
import { examplesOf } from '../helpers/examples.js'

/** Every class, by the code that it has and keeps. */
const CODES = {
  ConfigError: 'ERR_DREY_CONFIG',
  KeyError: 'ERR_DREY_KEY',
  ClosedError: 'ERR_DREY_CLOSED',
  TimeoutError: 'ERR_DREY_TIMEOUT',
  AbortedError: 'ERR_DREY_ABORTED',
  BreakerOpenError: 'ERR_DREY_BREAKER_OPEN',
  OverloadedError: 'ERR_DREY_OVERLOADED',
  TruncatedError: 'ERR_DREY_TRUNCATED',
  TooLargeError: 'ERR_DREY_TOO_LARGE',
  NoSpaceError: 'ERR_DREY_NO_SPACE',
  LockedError: 'ERR_DREY_LOCKED',
  IoError: 'ERR_DREY_IO',
  FormatError: 'ERR_DREY_FORMAT',
  CorruptError: 'ERR_DREY_CORRUPT',
  CompressionError: 'ERR_DREY_COMPRESSION',
  NativeError: 'ERR_DREY_NATIVE',
  OriginError: 'ERR_DREY_ORIGIN',
  OutOfRangeError: 'ERR_DREY_RANGE',
  BodyUsedError: 'ERR_DREY_BODY_USED',
} as const satisfies Record<string, DreyErrorCode>

type Kind = new (message: string, options?: { readonly cause?: unknown }) => DreyError

const isClass = (value: unknown): value is Kind =>
  typeof value === 'function' && value.prototype instanceof DreyError
const kinds = Object.entries(errors as Record<string, unknown>).filter((entry): entry is [string, Kind] =>
  isClass(entry[1]),
)

describe('the errors', () => {
  test('are those that are known, each with a code of its own', () => {
    expect(Object.fromEntries(kinds.map(([name, kind]) => [name, new kind('').code]))).toEqual(CODES)
    expect(new Set(Object.values(CODES)).size).toBe(kinds.length)
    // Every code of the type is that of a class.
    expectTypeOf<DreyErrorCode>().toEqualTypeOf<(typeof CODES)[keyof typeof CODES]>()
  })

  test.each(kinds)('%s says code, name, message and cause', (name, kind) => {
    const cause = new Error('beneath')
    const error = new kind('what happened', { cause })
    expect(error).toBeInstanceOf(kind)
    expect(error).toBeInstanceOf(DreyError)
    expect(error).toBeInstanceOf(Error)
    expect(error.message).toBe('what happened')
    expect(error.cause).toBe(cause)
    expect(error.name).toBe(name === 'AbortedError' ? 'AbortError' : name)
    expect(String(error)).toBe(`${error.name}: what happened`)
    expect(error.stack).toContain(`${error.name}: what happened`)
    expect(Object.keys(error)).toContain('code')
    expect('cause' in new kind('')).toBe(false)
  })

  test('have a row each in the reference', () => {
    const page = readFileSync(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8')
    const rows = [...page.matchAll(/^\| `(ERR_DREY_\w+)` \| `(\w+)` \|/gm)]
    expect(Object.fromEntries(rows.map(([, code, name]) => [name, code]))).toEqual(CODES)
    expect(rows).toHaveLength(kinds.length)
  })

  test('and each of them says when, what to do and which status; and whether to try again', () => {
    const page = readFileSync(new URL('../../docs/reference/errors.md', import.meta.url), 'utf8')
    const cells = [...page.matchAll(/^\| `ERR_DREY_\w+` \|.*$/gm)].map(([row]) => row.split(' | ').slice(2))
    for (const [when, what, status] of cells) {
      expect(when).toMatch(/\w/)
      expect(what).toMatch(/\w/)
      expect(status).toMatch(/^([45]\d\d|none, the client is gone|break the response)/)
    }
    const section = page.split('## Retry')[1]!.split('```')[0]!
    const retried = [...section.matchAll(/^\| `([A-Z_ ]+)` \|/gm)].flatMap(([, codes]) => codes!.split(' '))
    expect(retried.map((code) => `ERR_DREY_${code}`).sort()).toEqual(Object.values(CODES).sort())
    // What they are handled by is run by docs-examples.test.ts.
    expect(examplesOf('errors.md', page).length).toBeGreaterThan(4)
    for (const name of ['Over HTTP', 'Retry', 'Degradation', 'Alerting']) {
      expect(page.split(`## ${name}\n`)[1]!.split('\n## ')[0], name).toContain('```js runnable')
    }
  })

  test('an abort carries the reason of the signal', () => {
    const reason = { why: 'the client left' }
    const error = abortedBy(AbortSignal.abort(reason), 'reading "k"')
    expect(error).toMatchObject({
      name: 'AbortError',
      code: 'ERR_DREY_ABORTED',
      message: `reading "k" was aborted by the caller's signal`,
    })
    expect(error.cause).toBe(reason)
    const plain = abortedBy(AbortSignal.abort(), 'reading')
    expect(plain.cause).toBeInstanceOf(DOMException)
  })

  test('narrow by their code', () => {
    const narrow = (error: ConfigError | KeyError): void => {
      if (error.code === 'ERR_DREY_KEY') expectTypeOf(error).toEqualTypeOf<KeyError>()
      else expectTypeOf(error).toEqualTypeOf<ConfigError>()
    }
    narrow(new errors.KeyError(''))
    expectTypeOf<errors.AbortedError['code']>().toEqualTypeOf<'ERR_DREY_ABORTED'>()
    expectTypeOf<DreyError['code']>().toEqualTypeOf<DreyErrorCode>()
    // @ts-expect-error: no such code
    expect(new errors.KeyError('').code === 'ERR_DREY_KEYS').toBe(false)
  })
})

test.each([
  [new Error('plain'), 'plain'],
  ['text', "'text'"],
  [undefined, 'undefined'],
  [{ toString: undefined }, '{ toString: undefined }'],
  [Object.create(null), '[Object: null prototype] {}'],
])('what was thrown says something of itself: %o', (cause, message) => {
  expect(errors.messageOf(cause)).toBe(message)
})
