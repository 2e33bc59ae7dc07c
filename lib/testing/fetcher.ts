import { setImmediate as turn } from 'node:timers/promises'
import { createCache } from '../cache/create.js'
import {
  type FetchedBody,
  type Fetcher,
  type FetcherContext,
  type FetchResult,
  resultKind,
} from '../cache/fetcher.js'
import { readDuration, readHead } from '../cache/metadata.js'
import { BODY_FORMS, pieceBytes, type Source, sourceOf } from '../cache/source.js'
import { memoryStore } from '../store/memory/index.js'
import type { Later, Metadata } from '../store/store.js'
import { fails, holds, same, sameBytes } from './check.js'
import { type Case, caseOf, type Suite } from './suite.js'

/** A fetcher before origins of every kind. Whatever the fetcher asks should be a stand-in that the test made. */
export interface FetcherRig {
  /** Asks for something that is there. */
  readonly present: Fetcher
  /** All bytes of that. */
  readonly value: Uint8Array
  /** Puts something else in its place, and gives its bytes. */
  readonly change?: (() => Later<Uint8Array>) | undefined
  /** Asks for something that is not there. */
  readonly missing?: Fetcher | undefined
  /** Asks an origin that answers that it failed. */
  readonly failing?: Fetcher | undefined
  /** Asks an origin that does not answer. */
  readonly hanging?: Fetcher | undefined
  /** Asks an origin that breaks off in the middle of a body. */
  readonly broken?: Fetcher | undefined
  /** Called after each case. */
  close?(): Later<void>
}

type Situation = 'change' | 'missing' | 'failing' | 'hanging' | 'broken'

/** What of a rig there is not, for it cannot be with this kind of origin. */
export interface FetcherCapabilities {
  readonly without?: readonly Situation[]
}

/** So long that only what never ends takes it. */
const FOR_EVER = 30_000

/**
 * What every fetcher must do: F1 to F7 of the `Fetcher` contract.
 *
 * @param make called once for each case
 */
export function fetcherSuite(
  make: () => Later<FetcherRig>,
  { without = [] }: FetcherCapabilities = {},
): Suite {
  const check = (rule: string, what: string, run: (rig: FetcherRig) => Promise<void>): Case =>
    caseOf(rule, what, async () => {
      const rig = await make()
      try {
        await run(rig)
      } finally {
        await rig.close?.()
      }
    })
  const of = (situation: Situation, rule: string, what: string, run: (rig: FetcherRig) => Promise<void>) =>
    without.includes(situation)
      ? []
      : [
          check(rule, what, async (rig) => {
            if (rig[situation] === undefined) {
              throw new Error(
                `the rig has no \`${situation}\`: give one, or say { without: ['${situation}'] }`,
              )
            }
            await run(rig)
          }),
        ]
  return [
    check('F1', 'gives the value, in a form that a cache takes', async ({ present, value }) => {
      const result = await ask(present)
      sameBytes(await drained(bodyOf(result)), value)
      headOf(result, value)
    }),
    check('F1', 'gives each caller a body of its own, many at once', async ({ present, value }) => {
      const results = await Promise.all(Array.from({ length: 10 }, () => ask(present)))
      const bodies = await Promise.all(results.map((result) => drained(bodyOf(result))))
      for (const [at, body] of bodies.entries()) sameBytes(body, value, `body ${at} of 10`)
    }),
    ...of('missing', 'F2', 'what is not there is notFound()', async ({ missing }) => {
      const result = await ask(missing!)
      same(resultKind(result), 'not-found', 'the kind of the result')
    }),
    check('F3', 'does not confirm what nobody has', async ({ present }) => {
      const result = await ask(present)
      holds(resultKind(result) === 'body', 'what it gives without meta', 'a body', resultKind(result))
      await discarded(result)
    }),
    check('F3', 'confirms what has not changed, or gives it again', async ({ present, value }) => {
      const first = await ask(present)
      const body = await drained(bodyOf(first))
      const result = await ask(present, staleOf(first, body))
      if (resultKind(result) === 'not-modified') confirmationOf(result)
      else sameBytes(await drained(bodyOf(result)), value, 'the value given again')
    }),
    ...of('change', 'F3', 'does not confirm what has changed', async ({ present, change }) => {
      const first = await ask(present)
      const body = await drained(bodyOf(first))
      const value = await change!()
      const result = await ask(present, staleOf(first, body))
      sameBytes(await drained(bodyOf(result)), value, 'the value that came in its place')
    }),
    check('F4', 'with a signal that has ended already, comes to an end', async ({ present, value }) => {
      const result = await inTime(
        attempt(() => present({ key: 'suite', signal: AbortSignal.abort() })),
        'a call with a signal that has ended',
      )
      if ('error' in result) return
      // Who has the value at hand may give it.
      const body = await attempt(() => drained(bodyOf(result.value)))
      if ('value' in body) sameBytes(body.value, value)
    }),
    ...of(
      'hanging',
      'F4',
      'ends when its signal does, though the origin does not answer',
      async ({ hanging }) => {
        const controller = new AbortController()
        const asked = attempt(() => hanging!({ key: 'suite', signal: controller.signal }))
        await turn()
        controller.abort()
        const result = await inTime(asked, 'a call whose signal ended')
        holds('error' in result, 'a call whose signal ended', 'an error', result)
      },
    ),
    check('F4', 'a body whose signal ends is whole, or fails', async ({ present, value }) => {
      const controller = new AbortController()
      const result = await present({ key: 'suite', signal: controller.signal })
      const body = await inTime(
        attempt(() => drained(bodyOf(result), () => controller.abort())),
        'a body whose signal ended',
      )
      if ('value' in body) sameBytes(body.value, value, 'a body that ended as if it were whole')
    }),
    ...of('failing', 'F5', 'throws an Error where the origin fails', async ({ failing }) => {
      const result = await attempt(() => ask(failing!))
      if ('value' in result) {
        fails('what it gives when the origin fails', 'that it throws', resultKind(result.value))
      }
      holds(result.error instanceof Error, 'what it throws', 'an Error', result.error)
    }),
    ...of('broken', 'F6', 'a body that breaks off is not taken for whole', async ({ broken }) => {
      const result = await attempt(() => ask(broken!))
      // It may have wanted all of it before it answered.
      if ('error' in result) return
      const body = await attempt(() => drained(bodyOf(result.value)))
      if ('error' in body) return
      const { size } = result.value as FetchedBody
      const noticed = size !== undefined && size !== body.value.length
      holds(noticed, 'a body that broke off', 'an error, or a size that it does not have', body.value.length)
    }),
    check('F7', 'a cache answers with it', async (rig) => {
      const { present, value, missing } = rig
      const cache = await createCache({ tiers: [memoryStore({ maxBytes: '16MiB' })], pressure: false })
      try {
        for (const _ of ['first', 'again']) {
          const answer = await cache.fetch('present', present)
          if (answer.status !== 'ok') return fails('what the cache answers', 'ok', answer.status)
          sameBytes(await answer.bytes(), value, 'what the cache answers')
        }
        if (missing === undefined) return
        same((await cache.fetch('missing', missing)).status, 'not-found', 'what the cache answers')
      } finally {
        await cache.close()
      }
    }),
  ]
}

/** Asks as a cache does that has nothing, or what `stale` says. */
async function ask(fetcher: Fetcher, stale?: Metadata): Promise<FetchResult> {
  const context: FetcherContext = {
    key: 'suite',
    signal: new AbortController().signal,
    ...(stale === undefined ? {} : { meta: stale }),
    ...(stale?.etag === undefined ? {} : { etag: stale.etag }),
  }
  return fetcher(context)
}

function bodyOf(result: unknown): Source {
  if (resultKind(result) !== 'body') fails('what it gives', 'a body', resultKind(result) ?? result)
  const source = sourceOf((result as FetchedBody).body)
  if (source === undefined) fails('the body', BODY_FORMS, (result as FetchedBody).body)
  return source
}

/** All of a body. `onPiece` is called after each piece of one that arrives. */
async function drained(source: Source, onPiece?: () => void): Promise<Uint8Array> {
  if ('bytes' in source) return source.bytes
  const all: Uint8Array[] = []
  for (;;) {
    const piece = await source.pieces.next()
    if (piece.done === true) return Buffer.concat(all)
    const bytes = pieceBytes(piece.value)
    if (bytes === undefined) fails('a piece of the body', 'bytes or a string', piece.value)
    all.push(Uint8Array.from(bytes))
    onPiece?.()
  }
}

async function discarded(result: FetchResult): Promise<void> {
  await drained(bodyOf(result))
}

/** What it says of the value is such that a cache takes it. */
function headOf(result: FetchResult, value: Uint8Array): void {
  const head = readHead(result as FetchedBody)
  if (head.size !== undefined) same(head.size, value.length, 'the size that it declares')
}

function confirmationOf(result: FetchResult): void {
  const { ttl, staleWhileRevalidate, staleIfError } = result as FetchedBody
  readDuration('ttl', ttl)
  readDuration('staleWhileRevalidate', staleWhileRevalidate)
  readDuration('staleIfError', staleIfError)
}

/** Metadata of an entry that was kept of `result` and is stale. */
function staleOf(result: FetchResult, value: Uint8Array): Metadata {
  const { etag, tags, user } = readHead(result as FetchedBody)
  const now = Date.now()
  return Object.freeze({
    size: value.length,
    ...(etag === undefined ? {} : { etag }),
    cachedAt: now - 2000,
    freshUntil: now - 1000,
    staleUntil: now - 1000,
    staleIfErrorUntil: now - 1000,
    negative: false,
    tags,
    ...(user === undefined ? {} : { user }),
  })
}

type Attempt<T> = { readonly value: T } | { readonly error: unknown }

async function attempt<T>(call: () => Later<T>): Promise<Attempt<T>> {
  try {
    return { value: await call() }
  } catch (error) {
    return { error }
  }
}

async function inTime<T>(result: Promise<T>, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: expected an end, found none`)), FOR_EVER)
  })
  try {
    return await Promise.race([result, late])
  } finally {
    clearTimeout(timer)
  }
}
