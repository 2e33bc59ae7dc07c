import type { Metadata, StoredCompression } from '../store.js'

/*
 * How a compressed value lies in the store beneath. It is chunks as they are stored, one behind the other; and behind them,
 * where there is more than one, a table with the stored length of each, 4 bytes, little endian. A chunk that is
 * as long as it was is one that was kept as it is. What has to be known to find one's way is in the `user` part of the
 * metadata beneath, because a scan gives that without the value:
 *
 *  - A value that was kept as it is lies there as if there were no compression, with its metadata as it is; unless its `user` could be
 *    taken for what follows: then that is wrapped, with null for the layout.
 *  - Of one that was compressed, `user` is an object with two members: MARK, an array of the codec's name, the size of the
 *    value, and the size of its chunks but the last; and `user`, where the entry has one.
 */

const MARK = 'drey:compressed'
export const TABLE_ENTRY_BYTES = 4

/** Of a compressed value. */
export interface Layout {
  /** Who compressed it, by name. */
  readonly codec: string
  /** Bytes of the value. */
  readonly size: number
  /** Bytes of each of its chunks but the last. */
  readonly chunkBytes: number
}

/** Metadata for the store beneath, of a value that takes `stored` bytes there; without `layout`, as it is. */
export function beneath(metadata: Metadata, layout?: Layout, stored = metadata.size): Metadata {
  const { user, compression: _, ...rest } = metadata
  if (layout === undefined) {
    // Compared by name, also where it is inherited: this is asked for what strangers may have made.
    const mistakable = typeof user === 'object' && user !== null && MARK in user
    if (!mistakable) return metadata.compression === undefined ? metadata : withUser(rest, user)
    return Object.freeze({ ...rest, user: Object.freeze({ [MARK]: null, user }) })
  }
  const { codec, size, chunkBytes } = layout
  const mark = Object.freeze([codec, size, chunkBytes])
  const wrapped = user === undefined ? { [MARK]: mark } : { [MARK]: mark, user }
  return Object.freeze({ ...rest, size: stored, user: Object.freeze(wrapped) })
}

/** The layout of an entry by its metadata beneath; undefined when it lies there as it is. */
export function layoutOf({ user, size: stored }: Metadata): Layout | undefined {
  if (typeof user !== 'object' || user === null || !(MARK in user)) return undefined
  const mark = (user as { readonly [MARK]: unknown })[MARK]
  if (!Array.isArray(mark)) return undefined
  const [codec, size, chunkBytes] = mark as unknown[]
  const whole =
    typeof codec === 'string' && [size, chunkBytes].every((number) => Number.isSafeInteger(number))
  if (!whole || (chunkBytes as number) < 1 || (size as number) < stored) return undefined
  return { codec, size: size as number, chunkBytes: chunkBytes as number }
}

/** Metadata for the cache, of what is `metadata` beneath. */
export function above(metadata: Metadata, layout: Layout | undefined): Metadata {
  const { user, size: stored, ...rest } = metadata
  if (layout === undefined) {
    const wrapped = typeof user === 'object' && user !== null && MARK in user
    return wrapped
      ? withUser({ ...rest, size: stored }, (user as { readonly user?: unknown }).user)
      : metadata
  }
  const { codec, size } = layout
  const compression: StoredCompression = Object.freeze({
    codec,
    storedSize: stored,
    ratio: size / stored,
  })
  return withUser({ ...rest, size, compression }, (user as { readonly user?: unknown }).user)
}

/** How many chunks the value has. */
export function chunksOf({ size, chunkBytes }: Layout): number {
  return Math.ceil(size / chunkBytes)
}

/** Bytes of chunk `index`, before. */
export function chunkSize({ size, chunkBytes }: Layout, index: number): number {
  return Math.min(chunkBytes, size - index * chunkBytes)
}

/** Bytes of the table behind so many chunks. */
export function tableBytes(chunks: number): number {
  return chunks > 1 ? chunks * TABLE_ENTRY_BYTES : 0
}

/** The table of chunks with these stored lengths. */
export function tableOf(lengths: readonly number[]): Uint8Array {
  const table = new DataView(new ArrayBuffer(tableBytes(lengths.length)))
  if (lengths.length > 1) {
    for (const [index, length] of lengths.entries()) table.setUint32(index * TABLE_ENTRY_BYTES, length, true)
  }
  return new Uint8Array(table.buffer)
}

/** Where each chunk begins, and behind the last where it ends. @throws when the table cannot be that of the value */
export function offsetsOf(layout: Layout, table: Uint8Array, stored: number): Float64Array {
  const chunks = chunksOf(layout)
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
  const offsets = new Float64Array(chunks + 1)
  for (let index = 0; index < chunks; index += 1) {
    const length = chunks === 1 ? stored : view.getUint32(index * TABLE_ENTRY_BYTES, true)
    if (length < 1 || length > chunkSize(layout, index)) {
      throw new Error(`chunk ${index} is said to have ${length} bytes of ${chunkSize(layout, index)}`)
    }
    offsets[index + 1] = offsets[index]! + length
  }
  const end = stored - tableBytes(chunks)
  if (offsets[chunks] !== end)
    throw new Error(`the chunks have ${offsets[chunks]} bytes, and ${end} are there`)
  return offsets
}

function withUser(metadata: Omit<Metadata, 'user'>, user: unknown): Metadata {
  return Object.freeze(user === undefined ? metadata : { ...metadata, user })
}
