import { ConfigError } from '../errors.js'
import type { Later } from '../store/store.js'
import type { StoredChunk } from './chunk.js'
import type { ChunkCodec } from './chunk-codec.js'
import { MAX_CHUNK } from './compressor.js'
import type { ContentHint } from './content.js'

/** Pieces of a body: an array, a Node or web stream, a generator. */
export type Pieces<T> = Iterable<T> | AsyncIterable<T>

export interface CompressStreamOptions {
  /** Bytes of each chunk but the last, up to 1 MiB. Default 64 KiB. */
  readonly chunkBytes?: number | undefined
  readonly hint?: ContentHint | undefined
  readonly signal?: AbortSignal | undefined
}

const USUAL_CHUNK = 64 * 1024

/**
 * The bytes of `source`, in chunks as they are to be stored, in order. Some are worked on while the next come, as many as the codec
 * does at once; more are not taken from `source` before the first was taken from here. What `source` gave is copied before
 * it is asked for more. The memory of the chunks is the caller's.
 *
 * @throws (rejects) what `source` throws, `ERR_DREY_ABORTED`, `ERR_DREY_CONFIG` for `chunkBytes`. Whatever ends it, `source` is ended
 * and nothing is under way any more.
 */
export function compressStream(
  codec: ChunkCodec,
  source: Pieces<Uint8Array>,
  { chunkBytes = USUAL_CHUNK, hint, signal }: CompressStreamOptions = {},
): AsyncGenerator<StoredChunk, void, undefined> {
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < 1 || chunkBytes > MAX_CHUNK) {
    throw new ConfigError(`chunkBytes: got ${String(chunkBytes)}; want a whole number from 1 to ${MAX_CHUNK}`)
  }
  const encoder = codec.encoder(hint)
  return inOrder(chunksOf(source, chunkBytes), (chunk) => encoder.encode(chunk, signal), codec)
}

/**
 * What `compressStream` was given, from its chunks. Some are worked on ahead, as many as the codec does at once. Memory as
 * `ChunkCodec.decode` says.
 *
 * @throws (rejects) what `source` throws, `ERR_DREY_COMPRESSION`, `ERR_DREY_ABORTED`. Whatever ends it, `source` is ended and nothing is
 * under way any more.
 */
export function decompressStream(
  codec: ChunkCodec,
  source: Pieces<StoredChunk>,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  return inOrder(source, (chunk) => codec.decode(chunk, signal), codec)
}

/** What `work` makes of each item, in order, while some of those that follow are worked on. */
async function* inOrder<From, To>(
  source: Pieces<From>,
  work: (item: From) => Later<To>,
  { config }: ChunkCodec,
): AsyncGenerator<To, void, undefined> {
  const underWay: Array<Promise<To>> = []
  try {
    for await (const item of source) {
      underWay.push(begun(work, item))
      if (underWay.length > config.concurrency) yield await underWay.shift()!
    }
    while (underWay.length > 0) yield await underWay.shift()!
  } finally {
    // Their memory is still being read; what becomes of them nobody wants to know any more.
    await Promise.allSettled(underWay)
  }
}

function begun<From, To>(work: (item: From) => Later<To>, item: From): Promise<To> {
  const result = new Promise<To>((resolve) => resolve(work(item)))
  // It is waited for later, and until then a failure is not one that nobody handles.
  result.catch(handledLater)
  return result
}

const handledLater = (): void => undefined

/** The bytes of `source` in pieces of `size`, each in memory of its own. */
async function* chunksOf(
  source: Pieces<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let chunk: Buffer | undefined
  let used = 0
  for await (const piece of source) {
    for (let from = 0; from < piece.length; ) {
      chunk ??= Buffer.allocUnsafeSlow(size)
      const length = Math.min(size - used, piece.length - from)
      chunk.set(piece.subarray(from, from + length), used)
      used += length
      from += length
      if (used < size) continue
      yield chunk
      chunk = undefined
      used = 0
    }
  }
  // In memory of its own size: what is kept as it is may be kept for long.
  if (chunk !== undefined) yield Buffer.from(chunk.subarray(0, used))
}
