import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  type Cache,
  type FetcherContext,
  type FetchResult,
  notFound,
  notModified,
} from '../../../lib/index.js'
import { turns, until } from '../../helpers/gate.js'
import { type Rig, rig, settled } from '../../helpers/rig.js'

/*
 * The table of docs/reference/read-path.md, each row a test.
 */

const MINUTE = 60_000

const text = readFileSync(new URL('../../../docs/reference/read-path.md', import.meta.url), 'utf8')
const rows = text
  .slice(text.indexOf('## Every case'), text.indexOf('## What to know'))
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(2)
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )

const old = { etag: '"v"', tags: ['t'] }

/** Puts there what a row says. */
const there: Readonly<Record<string, (made: Rig) => Promise<unknown>>> = {
  nothing: async () => undefined,
  fresh: ({ cache }) => cache.set('k', 'old', old),
  stale: async ({ cache, clock }) => {
    await cache.set('k', 'old', old)
    clock.advance(MINUTE)
  },
  revalidate: async ({ cache, clock }) => {
    await cache.set('k', 'old', { ...old, staleWhileRevalidate: '1h' })
    clock.advance(MINUTE)
  },
  error: async ({ cache, clock }) => {
    await cache.set('k', 'old', { ...old, staleIfError: '1h' })
    clock.advance(MINUTE)
  },
  negative: async (made) => {
    await made.cache.fetch('k', () => notFound())
    await settled(made)
  },
  'negative, past': async (made) => {
    await made.cache.fetch('k', () => notFound())
    await settled(made)
    made.clock.advance(MINUTE)
  },
  soft: async ({ cache }) => {
    await cache.set('k', 'old', old)
    await cache.invalidateTags(['t'], { soft: true })
  },
  hard: async ({ cache }) => {
    await cache.set('k', 'old', old)
    await cache.invalidateTags(['t'])
  },
}

async function* breaking(): AsyncGenerator<string> {
  yield 'n'
  throw new Error('gone')
}

const origins: Readonly<Record<string, (context: FetcherContext) => FetchResult | Promise<FetchResult>>> = {
  body: () => ({ body: 'new', etag: '"w"' }),
  none: () => notFound(),
  confirms: () => notModified(),
  fails: () => {
    throw new Error('down')
  },
  hangs: () => new Promise(() => undefined),
  breaks: () => ({ body: breaking(), etag: '"w"' }),
  private: () => ({ body: 'new', etag: '"w"', store: false }),
}

type Fetching = Parameters<Cache['fetch']>[1]

async function call({ cache }: Rig, how: string, fetcher: Fetching): Promise<string> {
  if (how === 'getSync') {
    const hit = cache.getSync('k')
    return hit === undefined ? 'undefined' : `hit ${hit.value}`
  }
  const [name, option] = how.split(' ')
  try {
    const answer =
      name === 'get'
        ? await cache.get('k', { allowStale: option === 'stale' })
        : await cache.fetch('k', fetcher, option === undefined ? {} : { ifNoneMatch: option })
    if (answer?.status !== 'ok') return `${answer?.status}`
    return `${answer.outcome} ${await answer.text()}`
  } catch (error) {
    return (error as { code: string }).code.replace('ERR_DREY_', '')
  }
}

describe.each(['memory', 'distant', 'tiers'] as const)('over a %s store', (kind) => {
  test.each(rows)('%s, the origin %s, %s: %s', async (has, origin, how, gets, asked, afterwards) => {
    const made = await rig(kind, { freshness: { ttl: '1m' }, timeouts: { firstByte: '10s' } })
    const { cache, clock } = made
    await there[has!]!(made)
    let calls = 0
    const answer = call(made, how!, (context) => {
      calls += 1
      return origins[origin!]!(context)
    })
    if (origin === 'hangs') {
      await until(() => calls > 0, 'the origin is asked')
      await turns()
      clock.advance(10_000)
    }
    // What a store that answers later has is not at hand.
    const late = how === 'getSync' && kind === 'distant'
    expect(await answer).toBe(late ? 'undefined' : gets)
    await until(() => cache.stats().refreshes.running === 0, 'what was begun in the background is done')
    await settled(made)
    expect(calls).toBe(Number(asked))
    const left = await cache.get('k', { allowStale: true })
    expect(left?.status === 'ok' ? await left.text() : (left?.status ?? 'nothing')).toBe(afterwards)
    expect(cache.stats().openBodies).toBe(0)
  })

  test('the table was read', () => {
    expect(rows.length).toBeGreaterThan(50)
  })
})
