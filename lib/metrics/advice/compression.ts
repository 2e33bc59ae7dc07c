import { lz4 } from '../../compression/lz4.js'
import { messageOf } from '../../errors.js'
import { IN_HAND } from '../../store/store.js'
import type { Recommendation } from './advice.js'
import { gainOf, percent, rounded } from './figures.js'
import type { AdvisedTier } from './tiers.js'

/** Fewer bytes say nothing of what else is stored. */
const LEAST_BYTES = 2 ** 20
/** What is kept of what was given, from where compressing is for nothing. */
const NO_SMALLER = 0.95
/** Where more of the chunks that are tried get smaller, it is for something. */
const MOST_THAT_PAY = 0.1
/** The same, up to where it pays. */
const SMALLER = 0.8
/** Values that are tried, and entries that are looked at for them. */
const MOST_TRIED = 16
const LEAST_TRIED = 4
const MOST_LOOKED_AT = 256
/** Smaller ones the codec leaves as they are. */
const LEAST_VALUE = 512

/** Tiers that compress what does not get smaller. */
export function uselessCompression(tiers: readonly AdvisedTier[]): Recommendation[] {
  return tiers.flatMap(({ place, name, stats: { compression } }) => {
    if (compression === undefined || compression.codec === 'none') return []
    const { codec, rawBytes, storedBytes, compressed, unpaid, skipped } = compression
    if (rawBytes < LEAST_BYTES || storedBytes < NO_SMALLER * rawBytes) return []
    // What was stored before it was compressed at all, or is of a type that is not tried, says nothing.
    const tried = compressed + unpaid
    if (unpaid === 0 || compressed > MOST_THAT_PAY * tried) return []
    const chunks = tried + skipped
    const now = chunks === 0 ? 0 : unpaid / chunks
    return [
      {
        id: 'compression',
        level: 'advice',
        tier: name,
        message: `compression 'none' in place of '${codec}': values do not get smaller, of ${percent(1)} given ${percent(storedBytes / rawBytes)} are stored`,
        evidence: { rawBytes, storedBytes, compressed, unpaid, skipped },
        change: { option: `tiers.${place}.compression`, from: codec, to: 'none', live: true },
        gain: gainOf('chunks that are compressed for nothing, of all', now, 0),
      } satisfies Recommendation,
    ]
  })
}

/** Tiers on a disk that do not compress, and would keep fewer bytes: a few of their values are tried. Never rejects. */
export async function missingCompression(
  tiers: readonly AdvisedTier[],
  isClosed: () => boolean,
): Promise<Recommendation[]> {
  const found: Recommendation[] = []
  for (const tier of tiers) {
    if (tier.facts?.kind !== 'file' || tier.facts.compression !== 'none') continue
    const tried = await tryValues(tier, isClosed)
    if (tried === undefined || tried.values < LEAST_TRIED) continue
    const then = tried.stored / tried.raw
    if (then > SMALLER) continue
    found.push({
      id: 'compression',
      level: 'advice',
      tier: tier.name,
      message: `compression 'lz4' would keep ${percent(then)} of the bytes: room for as many more entries`,
      evidence: {
        values: tried.values,
        rawBytes: tried.raw,
        storedBytes: tried.stored,
        ratio: rounded(then),
      },
      change: { option: `tiers.${tier.place}.compression`, from: 'none', to: 'lz4', live: true },
      gain: gainOf('bytes stored for each byte given', 1, then),
    })
  }
  return found
}

interface Tried {
  readonly values: number
  readonly raw: number
  readonly stored: number
}

async function tryValues({ store }: AdvisedTier, isClosed: () => boolean): Promise<Tried | undefined> {
  const codec = lz4()
  if (codec.unavailable !== undefined) return undefined
  let [values, raw, stored, lookedAt] = [0, 0, 0, 0]
  try {
    for await (const [key, { size }] of store.entries()) {
      lookedAt += 1
      if (values >= MOST_TRIED || lookedAt > MOST_LOOKED_AT || isClosed()) break
      if (size < LEAST_VALUE) continue
      const bytes = await readSome(store, key, Math.min(size, IN_HAND))
      if (bytes === undefined) continue
      const made = await codec.compress(bytes)
      values += 1
      raw += bytes.length
      // What does not pay is kept as it is.
      stored += Math.min(made.length, bytes.length)
    }
  } catch (error) {
    if (isClosed()) return undefined
    // A tier that fails is not advised about; who reads and writes is told of it, and its breaker counts it there.
    process.emitWarning(`no values could be tried for advice: ${messageOf(error)}`, { code: 'DREY_ADVICE' })
    return undefined
  }
  return { values, raw, stored }
}

async function readSome(store: AdvisedTier['store'], key: string, size: number): Promise<Buffer | undefined> {
  const entry = await store.find(key, true)
  if (entry === undefined) return undefined
  try {
    const bytes = Buffer.allocUnsafeSlow(size)
    let at = 0
    while (at < size) {
      const read = await entry.read(bytes.subarray(at), at)
      if (read === 0) return undefined
      at += read
    }
    return bytes
  } finally {
    entry.release()
  }
}
