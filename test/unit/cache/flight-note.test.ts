import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  AGAIN,
  ALONE,
  decodeNote,
  encodeNote,
  errorOf,
  type Note,
  noteOf,
  WHOLE,
} from '../../../lib/cache/flight-note.js'
import { AbortedError, ClosedError, OriginError, TimeoutError } from '../../../lib/errors.js'

const time = fc.oneof(fc.nat(), fc.double({ noNaN: true, min: 0 }), fc.constant(Number.POSITIVE_INFINITY))
const head = {
  cachedAt: time,
  freshUntil: time,
  staleUntil: time,
  staleIfErrorUntil: time,
  tags: fc.constant<readonly string[]>([]),
  etag: fc.string(),
  user: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value))),
}
const required = [
  'size',
  'cachedAt',
  'freshUntil',
  'staleUntil',
  'staleIfErrorUntil',
  'negative',
  'tags',
] as const
const note: fc.Arbitrary<Note> = fc.oneof(
  fc.constantFrom(WHOLE, AGAIN, ALONE),
  fc.record({
    kind: fc.constant('body' as const),
    metadata: fc.record(
      { ...head, size: fc.integer({ min: -1 }), negative: fc.constant(false) },
      { requiredKeys: [...required] },
    ),
  }),
  fc.record({
    kind: fc.constant('not-found' as const),
    metadata: fc.record(
      { ...head, size: fc.constant(0), negative: fc.constant(true) },
      { requiredKeys: [...required] },
    ),
  }),
  fc.record({
    kind: fc.constant('error' as const),
    error: fc.constantFrom('origin' as const, 'timeout' as const),
    message: fc.string(),
  }),
)

it('gives back what was told', () => {
  fc.assert(
    fc.property(note, (told) => {
      expect(decodeNote(encodeNote(told))).toEqual(told)
    }),
  )
})

it('takes nothing else for a note, and throws nothing', () => {
  const body = {
    size: -1,
    cachedAt: 1,
    freshUntil: 2,
    staleUntil: 2,
    staleIfErrorUntil: 'never',
    negative: false,
    tags: ['t'],
    sequence: 7,
  }
  expect(decodeNote(JSON.stringify({ kind: 'body', metadata: body }))).toBeDefined()
  const wrong: unknown[] = [
    null,
    'whole',
    [],
    {},
    { kind: 'other' },
    { kind: 'body' },
    { kind: 'body', metadata: null },
    { kind: 'not-found', metadata: body },
    { kind: 'error', error: 'other', message: 'm' },
    { kind: 'error', error: 'origin', message: 1 },
    ...Object.entries({
      size: [-2, 1.5, '1', null],
      cachedAt: [null, 'soon', undefined],
      freshUntil: [null, '1'],
      staleUntil: [undefined, '2'],
      tags: [undefined, 't', [7]],
      sequence: [undefined, 1.5, '7'],
      staleIfErrorUntil: [true],
      negative: [1, undefined, true],
      etag: [1, null],
    }).flatMap(([name, values]) =>
      values.map((value) => ({ kind: 'body', metadata: { ...body, [name]: value } })),
    ),
  ]
  for (const each of wrong) expect(decodeNote(JSON.stringify(each)), JSON.stringify(each)).toBeUndefined()
  for (const text of ['', '{', 'whole', '{"kind":"whole"', '1e999']) expect(decodeNote(text)).toBeUndefined()
  fc.assert(
    fc.property(fc.string(), fc.json(), (text, json) => {
      for (const each of [text, json]) decodeNote(each)
    }),
  )
})

it('what it has cannot be changed', () => {
  const metadata = {
    size: 1,
    cachedAt: 1,
    freshUntil: 2,
    staleUntil: 2,
    staleIfErrorUntil: 3,
    negative: false,
    tags: ['t'],
    sequence: 1,
    user: { a: [1] },
  }
  const got = decodeNote(encodeNote({ kind: 'body', metadata }))
  if (got?.kind !== 'body') throw new Error('want a body')
  const user = got.metadata.user as { a: number[] }
  for (const part of [got.metadata, user, user.a]) expect(Object.isFrozen(part)).toBe(true)
})

it('tells of an error by its kind and message, and of a leader that gives up to ask again', () => {
  for (const [error, Kind] of [
    [new TimeoutError('late'), TimeoutError],
    [new OriginError('down', { cause: new Error('beneath') }), OriginError],
    [new Error('reset'), OriginError],
  ] as const) {
    const told = decodeNote(encodeNote(noteOf(error)))
    if (told?.kind !== 'error') throw new Error('want an error')
    expect(errorOf(told)).toBeInstanceOf(Kind)
    expect(errorOf(told)).toMatchObject({ message: error.message })
    expect(errorOf(told).cause).toBeUndefined()
  }
  for (const error of [new AbortedError('left'), new ClosedError('closed')]) expect(noteOf(error)).toBe(AGAIN)
  const long = noteOf(new Error('x'.repeat(1e6)))
  expect(encodeNote(long).length).toBeLessThan(5000)
})
