import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import type { Metadata } from '../../../lib/store/store.js'
import { HOSTILE_KEYS } from '../../../lib/testing/store/keys.js'
import { bytesOf } from '../../conformance/store-kit.js'

/*
 * Keys, values and metadata that the engines are tried with.
 */

const KiB = 1024
/** Where JavaScript's view of the arena is divided, in bytes. */
const SPAN = 4 * KiB * KiB

const NOISE = bytesOf(9 * KiB * KiB, 'noise')
let drawn = 0

/** `size` bytes, others each time. */
export function someBytes(size: number): Buffer {
  drawn += 1
  const room = NOISE.length - size
  const from = (drawn * 7919) % (room + 1)
  return NOISE.subarray(from, from + size)
}

const borders = (...at: readonly number[]): fc.Arbitrary<number> =>
  fc.oneof(...at.map((border) => fc.integer({ min: Math.max(0, border - 2), max: border + 2 })))

/** Sizes of values: near nothing, near the classes of slots, near the largest slots, pages and what is handed over whole. */
export const sizes: fc.Arbitrary<number> = fc.oneof(
  fc.nat(300),
  fc.nat(300),
  borders(1 * KiB, 2 * KiB, 4 * KiB),
  fc.nat(5000),
  borders(16 * KiB, 32 * KiB, 64 * KiB, 128 * KiB),
  fc.nat(150_000),
)

/** As `sizes`, up to beyond what one view of the arena can show. */
export const largeSizes: fc.Arbitrary<number> = fc.oneof(
  sizes,
  sizes,
  fc.nat(1_000_000),
  borders(SPAN / 2, SPAN),
  fc.integer({ min: SPAN, max: 5 * KiB * KiB }),
)

/** Few keys that are used again and again, and some as strangers send them. */
export const keys: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'c') },
  { weight: 1, arbitrary: fc.constantFrom(...HOSTILE_KEYS) },
)

const NOW = 1_700_000_000_000
/** When the clock of a world begins. */
export const START = NOW

const times = fc.oneof(
  { weight: 4, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
  { weight: 2, arbitrary: fc.integer({ min: NOW, max: NOW + 20_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1.5, -1, NOW + 0.25, 2 ** 48, 2 ** 48 - 1, 1e17) },
)
const etags = fc.oneof(fc.constantFrom('', 'W/"é 🐿"', 'e'.repeat(5000)), fc.string({ maxLength: 40 }))
const users = fc.oneof(
  // As JSON knows it: there is no -0.
  fc.jsonValue({ maxDepth: 3 }).map((json) => JSON.parse(JSON.stringify(json)) as unknown),
  fc.constantFrom<unknown>({ text: 'x'.repeat(3000) }, { text: 'y'.repeat(60_000) }, null, false, 0, ''),
)

const tagLists = fc.array(fc.constantFrom('t', 'é 🐿', '#', '{"a":1}', 'x'.repeat(256)), {
  minLength: 1,
  maxLength: 100,
})

/** Metadata but for the size. */
export const heads: fc.Arbitrary<Partial<Metadata>> = fc
  .record({
    cachedAt: fc.oneof(fc.constant(NOW), times.filter(Number.isFinite)),
    freshUntil: times,
    staleFor: fc.constantFrom(0, 0, 1, 5000),
    staleIfErrorUntil: times,
    labels: fc.option(fc.record({ tags: tagLists, sequence: fc.nat() }), { nil: undefined }),
    negative: fc.boolean(),
    etag: fc.option(etags, { nil: undefined }),
    user: fc.option(users, { nil: undefined }),
  })
  .map(({ etag, user, staleFor, labels, ...head }) => ({
    ...head,
    staleUntil: head.freshUntil + staleFor,
    ...labels,
    ...(etag === undefined ? {} : { etag }),
    ...(user === undefined ? {} : { user }),
  }))

export function metadataOf(size: number, head: Partial<Metadata>): Metadata {
  return {
    cachedAt: NOW,
    freshUntil: Number.POSITIVE_INFINITY,
    staleUntil: Number.POSITIVE_INFINITY,
    staleIfErrorUntil: Number.POSITIVE_INFINITY,
    tags: [],
    ...head,
    // A negative entry has no value.
    negative: size === 0 && head.negative === true,
    size,
  }
}

export function sameMetadata(given: Metadata, want: Metadata): boolean {
  return isDeepStrictEqual(given, want)
}

/** A few words of a value for the name of a command. */
export function brief(value: unknown): string {
  const shown = (_: string, part: unknown): unknown => (typeof part === 'bigint' ? `${part}n` : part)
  const text = JSON.stringify(value, shown) ?? 'undefined'
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}
