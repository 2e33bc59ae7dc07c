import fc from 'fast-check'
import {
  type Answer,
  type Cache,
  type EntryOptions,
  type FetcherContext,
  type FetchResult,
  type Found,
  notFound,
  notModified,
} from '../../../lib/index.js'
import { pieces } from '../../helpers/bodies.js'
import type { FakeClock } from '../../helpers/clock.js'
import { until } from '../../helpers/gate.js'
import { brief, keys, sizes, someBytes } from './values.js'

/*
 * Calls of a cache as data, so that the same can be made of several caches; and what is seen of each.
 */

/** What is seen of a call: its answer, or the code of its error. */
export interface Seen {
  readonly error?: string
  readonly answer?: unknown
  /** The value that was answered. */
  readonly value?: Buffer
  /** What the origin sent to this very call. */
  readonly sent?: Buffer | undefined
  /** What the call put under its key, if it did. */
  readonly put?: Buffer
  /** What the origin was told, if it was asked. */
  readonly asked?: unknown
}

/** A call; `key` is the one that it is about. */
export interface Call {
  readonly name: string
  readonly key?: string
  /** After it there is no value under the key, or under any when there is no key. */
  readonly removes?: true
  readonly make: (cache: Cache, clock: FakeClock) => Promise<Seen>
}

interface Plan {
  readonly answer: 'body' | 'not-found' | 'confirm' | 'throw'
  readonly bytes: Buffer
  readonly declared: boolean
  readonly piece: number
  readonly options: EntryOptions
}

const durations = fc.constantFrom<number | undefined>(undefined, 0, 1000, 60_000)
const options: fc.Arbitrary<EntryOptions> = fc.record({
  ttl: durations,
  staleIfError: durations,
  etag: fc.constantFrom<string | null | undefined>(undefined, null, '"e"', 'W/"é"'),
  user: fc.oneof(fc.constant(undefined), fc.jsonValue({ maxDepth: 2 })),
})
/** What no cache takes, each with a code of its own. */
const wrong: fc.Arbitrary<EntryOptions> = fc.constantFrom<EntryOptions>(
  { ttl: -1 },
  { etag: 'a\nb' },
  { user: 'x'.repeat(70_000) },
  { user: 1n },
  { size: 3 },
)
const wrongKeys = fc.constantFrom('', '\ud800', 'a\udc00b', 'x'.repeat(32 * 1024 + 1))
const anyKey = fc.oneof({ weight: 30, arbitrary: keys }, { weight: 1, arbitrary: wrongKeys })
const anySize = fc.oneof({ weight: 20, arbitrary: sizes }, { weight: 1, arbitrary: fc.constant(700_000) })
const piece = fc.constantFrom(1000, 30_000, 1_000_000)

async function seen(call: () => Promise<Seen>): Promise<Seen> {
  try {
    return await call()
  } catch (error) {
    const { code } = error as { readonly code?: string }
    if (code === undefined) throw error
    return { error: code }
  }
}

async function answered(answer: Answer | undefined): Promise<Seen> {
  if (answer?.status !== 'ok') return { answer: answer && { ...answer } }
  const { key, status, outcome, tier, meta } = answer
  const value = await answer.bytes()
  return { answer: { key, status, outcome, tier, meta }, value }
}

async function fetchBy(cache: Cache, key: string, plan: Plan): Promise<Seen> {
  let asked: unknown
  let sent: Buffer | undefined
  const fetcher = ({ etag, meta }: FetcherContext): FetchResult => {
    asked = { etag, meta }
    const ttl = plan.options.ttl === undefined ? {} : { ttl: plan.options.ttl }
    if (plan.answer === 'throw') throw new Error('down')
    if (plan.answer === 'not-found') return notFound(ttl)
    if (plan.answer === 'confirm' && meta !== undefined) return notModified(ttl)
    const { bytes, declared } = plan
    sent = bytes
    return { ...plan.options, body: pieces(bytes, plan.piece), ...(declared ? { size: bytes.length } : {}) }
  }
  return seen(async () => {
    const answer = await cache.fetch(key, fetcher)
    const told = await answered(answer)
    const found = answer as Found
    if (answer.status === 'ok')
      await until(() => found.stored !== undefined, 'it is known whether it is kept')
    await until(() => cache.stats().filling === 0, 'all fills are done')
    const kept: boolean = sent !== undefined && found.stored === 'memory'
    return { ...told, asked, sent, ...(kept ? { put: sent! } : {}) }
  })
}

const call = (name: string, args: readonly unknown[], rest: Omit<Call, 'name'>): Call => ({
  name: `${name}(${args.map(brief).join(', ')})`,
  ...rest,
})

const plans: fc.Arbitrary<Plan> = fc.record({
  answer: fc.constantFrom('body', 'body', 'body', 'not-found', 'confirm', 'throw'),
  bytes: anySize.map(someBytes),
  declared: fc.boolean(),
  piece,
  options,
})

/** Any call but those that look at all entries at once. */
export const calls: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(anyKey, plans).map(([key, plan]) =>
      call('fetch', [key, plan.answer, plan.bytes.length, plan.options], {
        key,
        make: (cache) => fetchBy(cache, key, plan),
      }),
    ),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        anyKey,
        anySize.map(someBytes),
        fc.oneof({ weight: 15, arbitrary: options }, { weight: 1, arbitrary: wrong }),
      )
      .map(([key, bytes, given]) =>
        call('set', [key, bytes.length, given], {
          key,
          make: (cache) => seen(async () => ({ answer: await cache.set(key, bytes, given), put: bytes })),
        }),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(anyKey, anySize.map(someBytes), piece, options).map(([key, bytes, step, given]) =>
      call('set stream', [key, bytes.length, step, given], {
        key,
        make: (cache) =>
          seen(async () => ({ answer: await cache.set(key, pieces(bytes, step), given), put: bytes })),
      }),
    ),
  },
  {
    weight: 5,
    arbitrary: fc
      .tuple(anyKey, fc.boolean(), fc.constantFrom(undefined, '"e"', '*'))
      .map(([key, stale, tag]) =>
        call('get', [key, stale, tag], {
          key,
          make: (cache) =>
            seen(async () =>
              answered(
                tag === undefined
                  ? await cache.get(key, { allowStale: stale })
                  : await cache.get(key, { allowStale: stale, ifNoneMatch: tag }),
              ),
            ),
        }),
      ),
  },
  {
    weight: 4,
    arbitrary: anyKey.map((key) =>
      call('getSync', [key], {
        key,
        make: (cache) =>
          seen(async () => {
            const found = cache.getSync(key)
            return found === undefined ? {} : { answer: found.meta, value: found.value }
          }),
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: anyKey.map((key) =>
      call('stat', [key], { key, make: (cache) => seen(async () => ({ answer: await cache.stat(key) })) }),
    ),
  },
  {
    weight: 1,
    arbitrary: anyKey.map((key) =>
      call('has', [key], { key, make: (cache) => seen(async () => ({ answer: await cache.has(key) })) }),
    ),
  },
  {
    weight: 2,
    arbitrary: anyKey.map((key) =>
      call('delete', [key], {
        key,
        removes: true,
        make: (cache) => seen(async () => ({ answer: await cache.delete(key) })),
      }),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constant(
      call('clear', [], {
        removes: true,
        make: (cache) => seen(async () => ({ answer: await cache.clear() })),
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(1, 999, 30_000).map((ms) =>
      call('advance', [ms], {
        make: async (_, clock) => {
          clock.advance(ms)
          return {}
        },
      }),
    ),
  },
)
