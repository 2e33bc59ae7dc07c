import { type Draft, IN_HAND, type Store, type StoredEntry } from '../store.js'

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
  const { metadata } = entry
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
