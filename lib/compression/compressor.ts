/*
 * The contract of what makes chunks smaller, which a user may implement.
 *
 * A chunk is compressed by itself: nothing of one is needed to read another. What a compressor MUST do, and
 * `compressorSuite` of `drey/testing` checks:
 *
 *  C1  `decompress(await compress(bytes), bytes.length)` gives the same bytes, whatever they are, from 1 byte to MAX_CHUNK.
 *  C2  The input is not written to, and not read any more once the promise has settled. Nobody changes it before.
 *  C3  The result is the caller's: memory that is not the input's, and that nobody writes to afterwards.
 *  C4  `decompress` believes nothing of what it reads: for any bytes it gives exactly `size` bytes or rejects, and
 *      has no more memory for it than in proportion to `size`.
 *  C5  What was compressed can be read without what `compress` was told: a level, say. Later versions read what earlier
 *      ones wrote, or have another name.
 *  C6  Any number of calls may be under way at once.
 */

/** Largest chunk, in bytes: 1 MiB. A length beyond it is refused before a decompressor sees it. */
export const MAX_CHUNK = 1024 * 1024

/** What is written beside each chunk to know later who can read it; it never changes. All compressors of users have one. */
export const CODEC_IDS = { none: 0, lz4: 1, gzip: 2, zstd: 3, own: 4 } as const

/** The id of the codec with this name. */
export function codecId(name: string): number {
  return Object.hasOwn(CODEC_IDS, name) ? CODEC_IDS[name as keyof typeof CODEC_IDS] : CODEC_IDS.own
}

/** Makes chunks smaller, and whole again. */
export interface Compressor {
  /**
   * Said in statistics and errors, and kept with each value to know later who can read it: another format, another name. 1 to 32 of
   * a-z, 0-9, '.', '_' and '-'.
   */
  readonly name: string
  /** Why it cannot be used in this process, in words for people. Undefined when it can. */
  readonly unavailable?: string | undefined
  /** The bytes made smaller, or at least not much larger; what does not get smaller is kept as it is by the caller. */
  compress(bytes: Uint8Array): Promise<Uint8Array>
  /** What `compress` was given, which had `size` bytes, from 1 to MAX_CHUNK. */
  decompress(bytes: Uint8Array, size: number): Promise<Uint8Array>
  /** As `compress`, at once. */
  compressSync?(bytes: Uint8Array): Uint8Array
  /** As `decompress`, at once: small values are then answered without a turn of the event loop. */
  decompressSync?(bytes: Uint8Array, size: number): Uint8Array
  /**
   * Up to how many bytes, of those that are not compressed, the two are called: at most 64 KiB, which is the default. The event
   * loop waits meanwhile. It pays up to some ten microseconds: so much, and far more on a busy machine, it costs to ask a thread.
   */
  readonly syncBytes?: { readonly compress?: number; readonly decompress?: number } | undefined
}

/** What a value has to say of who made its chunks: the name, where the codec's id is not his alone. */
export function ownNameOf(compressor: Compressor | undefined): string | undefined {
  return compressor !== undefined && codecId(compressor.name) === CODEC_IDS.own ? compressor.name : undefined
}
