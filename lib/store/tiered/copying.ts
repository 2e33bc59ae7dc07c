import { forBelow } from '../aging/label.js'
import { type Draft, IN_HAND, type Store, type StoredEntry, type WholeValue } from '../store.js'
import type { Source } from './job.js'

/** Bytes that pass at a time. */
const PIECE_BYTES = 64 * 1024

/**
 * Copies `entry` to `key` of `to`; says whether it is there now. Once `wanted` says false nothing more is written, and nothing is
 * committed. What the stores throw is the caller's; no trace is left then.
 */
export async function copyEntry(
  entry: StoredEntry,
  key: string,
  to: Store,
  wanted: () => boolean,
): Promise<boolean> {
  const metadata = forBelow(entry.metadata)
  if (metadata.size > to.maxItemBytes || !wanted()) return false
  const value = to.setLater === undefined ? undefined : inHand(entry)
  if (value !== undefined) return to.setLater!(key, value, metadata)
  const draft = await to.draft(key, metadata.size, metadata.user)
  if (draft === undefined) return false
  let kept = false
  try {
    if (!(await writeAll(entry, draft, metadata.size, wanted)) || !wanted()) return false
    kept = await draft.commit(metadata)
    return kept
  } finally {
    if (!kept) draft.abort()
  }
}

/** Sets what `sources` give for `keys` in `to`, all or none; says whether, and `stored` how many bytes each has. What is gone meanwhile cannot be set, and the others not without it. */
export async function setSources(
  keys: readonly string[],
  sources: readonly Source[],
  to: Store,
  stored: (bytes: number) => void,
): Promise<boolean> {
  const values: WholeValue[] = []
  let opened = 0
  try {
    for (const source of sources) {
      opened += 1
      const entry = await source.open()
      if (entry === undefined) return false
      try {
        const bytes = await wholeOf(entry)
        if (bytes === undefined || bytes.length > to.maxItemBytes) return false
        values.push({ key: keys[values.length]!, bytes, metadata: forBelow(entry.metadata) })
      } finally {
        entry.release()
      }
    }
  } finally {
    for (const source of sources.slice(opened)) source.drop()
  }
  const done = await to.setAll!(values)
  if (done) for (const { bytes } of values) stored(bytes.length)
  return done
}

/** All bytes of a value; undefined of a broken one. */
async function wholeOf(entry: StoredEntry): Promise<Uint8Array | undefined> {
  const bytes = Buffer.allocUnsafe(entry.metadata.size)
  for (let at = 0; at < bytes.length; ) {
    const length = await entry.read(bytes.subarray(at), at)
    if (length === 0) return undefined
    at += length
  }
  return bytes
}

/** The whole of a small value, where it is at hand. */
function inHand(entry: StoredEntry): Uint8Array | undefined {
  const { size } = entry.metadata
  if (size > IN_HAND) return undefined
  const value = entry.own?.() ?? entry.view?.(0)
  return value?.length === size ? value : undefined
}

async function writeAll(
  entry: StoredEntry,
  draft: Draft,
  size: number,
  wanted: () => boolean,
): Promise<boolean> {
  const target = entry.view === undefined ? Buffer.allocUnsafe(Math.min(size, PIECE_BYTES)) : undefined
  for (let position = 0; position < size; ) {
    if (!wanted()) return false
    const piece =
      target === undefined ? entry.view!(position) : target.subarray(0, await entry.read(target, position))
    // An entry that ends before its size is broken: its copy would be, too (I1).
    if (piece.length === 0 || !wanted() || !(await draft.write(piece))) return false
    position += piece.length
  }
  return true
}
