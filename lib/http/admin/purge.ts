import { z } from 'zod'
import type { Cache } from '../../cache/cache.js'
import { ClosedError } from '../../errors.js'

/*
 * What `POST /purge` takes, and does.
 */

/** What is to go: exactly one of these. */
export type PurgeRequest =
  | { readonly keys: readonly string[] }
  /** All keys that begin with it: found by going through all there are. */
  | { readonly prefix: string }
  /** `soft`: made stale in place of gone. */
  | { readonly tags: readonly string[]; readonly soft?: boolean | undefined }
  | { readonly all: true }

/** What has gone. */
export interface PurgeReport {
  readonly by: 'keys' | 'prefix' | 'tags' | 'all'
  /** Entries that were there and are gone; undefined where nobody counts: by tag, and of all. */
  readonly purged?: number
  /** Entries that were looked at, of a scan. */
  readonly scanned?: number
}

/** A purge that is not made. */
export class PurgeRefused extends Error {
  override readonly name = 'PurgeRefused'
}

const WANT =
  'want one of {"keys": ["..."]}, {"prefix": "..."}, {"tags": ["..."], "soft": true or false}, {"all": true}'
const EVERYTHING = 'to purge everything say {"all": true} (drey purge ADMIN --all)'

const text = z.string().min(1)
const FORMS = [
  z.strictObject({ keys: z.array(text).min(1) }),
  z.strictObject({ prefix: z.string() }),
  z.strictObject({ tags: z.array(text).min(1), soft: z.boolean().optional() }),
  z.strictObject({ all: z.literal(true) }),
] as const

/** @throws `PurgeRefused` for what is no purge */
export function readPurge(body: string): PurgeRequest {
  let given: unknown
  try {
    given = JSON.parse(body)
  } catch (error) {
    throw new PurgeRefused(`the body is no JSON; ${WANT}`, { cause: error })
  }
  for (const form of FORMS) {
    const { data } = form.safeParse(given)
    if (data === undefined) continue
    if ('prefix' in data && data.prefix === '') {
      throw new PurgeRefused(`every key begins with an empty prefix; ${EVERYTHING}`)
    }
    return data
  }
  throw new PurgeRefused(`the body names nothing to purge, or too much; ${WANT}; ${EVERYTHING}`)
}

/** Deleted at once, of a scan. */
const TOGETHER = 64

/**
 * @param isOver whether a scan is to end before its end
 * @throws `PurgeRefused` for a prefix that all entries have; as `delete`, `invalidateTags` and `clear`
 */
export async function purge(
  cache: Cache,
  request: PurgeRequest,
  isOver: () => boolean,
): Promise<PurgeReport> {
  if ('keys' in request) return { by: 'keys', purged: count(await cache.deleteMany(request.keys)) }
  if ('tags' in request) {
    await cache.invalidateTags(request.tags, { soft: request.soft === true })
    return { by: 'tags' }
  }
  if ('all' in request) {
    await cache.clear()
    return { by: 'all' }
  }
  return scan(cache, request.prefix, isOver)
}

async function scan(cache: Cache, prefix: string, isOver: () => boolean): Promise<PurgeReport> {
  await assertOthers(cache, prefix, isOver)
  let [scanned, purged] = [0, 0]
  let found: string[] = []
  for await (const [key] of cache.entries()) {
    assertGoing(isOver)
    scanned += 1
    if (!key.startsWith(prefix)) continue
    found.push(key)
    if (found.length < TOGETHER) continue
    purged += count(await cache.deleteMany(found))
    found = []
  }
  if (found.length > 0) purged += count(await cache.deleteMany(found))
  return { by: 'prefix', purged, scanned }
}

/** Before anything is gone: a first look finds an entry of another prefix soon, where there is one. */
async function assertOthers(cache: Cache, prefix: string, isOver: () => boolean): Promise<void> {
  let entries = 0
  for await (const [key] of cache.entries()) {
    assertGoing(isOver)
    if (!key.startsWith(prefix)) return
    entries += 1
  }
  if (entries === 0) return
  const all = entries === 1 ? 'the one entry that there is begins' : `all ${entries} entries begin`
  throw new PurgeRefused(`${all} with ${JSON.stringify(prefix.slice(0, 80))}; ${EVERYTHING}`)
}

function assertGoing(isOver: () => boolean): void {
  if (isOver())
    throw new ClosedError('the proxy closes, and the scan ended before its end: what it had met is gone')
}

function count(gone: readonly boolean[]): number {
  return gone.filter(Boolean).length
}
