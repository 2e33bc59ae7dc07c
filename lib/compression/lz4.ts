import { createRequire } from 'node:module'
import { CompressionError, messageOf } from '../errors.js'
import type { Compressor } from './compressor.js'

/*
 * LZ4 blocks by lz4-napi, on the threads of libuv. What is stored is what it makes: the raw length in 4 bytes, little
 * endian, and the block. It takes that length for true and allocates it, so it is compared with the known one first.
 */

type Lz4 = Pick<typeof import('lz4-napi'), 'compress' | 'compressSync' | 'uncompress' | 'uncompressSync'>

const PREFIX_BYTES = 4

/** Each 25 to 35 µs at once. */
const SYNC_BYTES = { compress: 16 * 1024, decompress: 64 * 1024 }

/** LZ4, where its addon loads. It has no levels. */
export function lz4(): Compressor {
  const found = load()
  const { addon } = found
  if (addon === undefined) {
    const absent = (): never => {
      throw new CompressionError(`lz4: ${found.reason}`)
    }
    return {
      name: 'lz4',
      unavailable: found.reason,
      compress: async () => absent(),
      decompress: async () => absent(),
    }
  }
  return {
    name: 'lz4',
    compress: (bytes) => addon.compress(bytes),
    decompress: async (bytes, size) => {
      assertPrefix(bytes, size)
      return addon.uncompress(bytes)
    },
    // It takes Buffers only here: the same memory.
    compressSync: (bytes) => addon.compressSync(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
    decompressSync: (bytes, size) => {
      assertPrefix(bytes, size)
      return addon.uncompressSync(bytes)
    },
    syncBytes: SYNC_BYTES,
  }
}

function assertPrefix(bytes: Uint8Array, size: number): void {
  const said = bytes.length < PREFIX_BYTES ? undefined : prefixOf(bytes)
  if (said === size) return
  throw new CompressionError(
    said === undefined
      ? `lz4: ${bytes.length} bytes are no block; want at least ${PREFIX_BYTES}`
      : `lz4: the block says that it has ${said} bytes; want ${size}`,
  )
}

function prefixOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, PREFIX_BYTES).getUint32(0, true)
}

type Found =
  | { readonly addon: Lz4; readonly reason?: undefined }
  | { readonly addon?: undefined; readonly reason: string }

let known: Found | undefined

/** Once in a thread, and only when somebody asks for LZ4: an addon that does not load costs nobody else anything. */
function load(): Found {
  if (known !== undefined) return known
  try {
    known = { addon: createRequire(import.meta.url)('lz4-napi') as Lz4 }
  } catch (error) {
    const what = messageOf(error).split('\n')[0]
    known = { reason: `lz4-napi does not load on ${process.platform}-${process.arch}: ${what}` }
  }
  return known
}
