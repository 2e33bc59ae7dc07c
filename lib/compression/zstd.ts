import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { CompressionError } from '../errors.js'
import type { Compressor } from './compressor.js'
import { roomFor } from './room.js'

/*
 * Zstandard, RFC 8878, by node:zlib, which has it from Node 22.15 and 23.8 on.
 */

type Done = (error: Error | null, result: Uint8Array) => void

interface ZstdOptions {
  readonly chunkSize: number
  readonly maxOutputLength?: number
  readonly pledgedSrcSize?: number
  readonly params: Readonly<Record<number, number>>
}

/** The part of node:zlib that the oldest Node that drey runs on does not have. */
interface ZstdPart {
  readonly zstdCompress?: (bytes: Uint8Array, options: ZstdOptions, done: Done) => void
  readonly zstdDecompress?: (bytes: Uint8Array, options: ZstdOptions, done: Done) => void
  readonly constants: {
    readonly ZSTD_c_compressionLevel: number
    readonly ZSTD_c_windowLog: number
    readonly ZSTD_d_windowLogMax: number
  }
}

// The format knows no smaller window.
const LEAST_WINDOW_LOG = 10

/** @param level 1, fastest, to 19, smallest */
export function zstd(level: number, part = zlib as unknown as ZstdPart): Compressor {
  const { zstdCompress, zstdDecompress, constants } = part
  if (zstdCompress === undefined || zstdDecompress === undefined) return absent()
  const compress = promisify(zstdCompress)
  const decompress = promisify(zstdDecompress)
  return {
    name: 'zstd',
    compress: (bytes) =>
      compress(bytes, {
        chunkSize: roomFor(bytes.length),
        // Said beforehand, so that the tables are made for a chunk and not for a stream without end.
        pledgedSrcSize: bytes.length,
        params: {
          [constants.ZSTD_c_compressionLevel]: level,
          [constants.ZSTD_c_windowLog]: windowLogOf(bytes.length),
        },
      }),
    decompress: (bytes, size) =>
      decompress(bytes, {
        chunkSize: roomFor(size),
        maxOutputLength: size,
        // A frame of 20 bytes may ask for a window of 128 MiB: no chunk needs one larger than itself.
        params: { [constants.ZSTD_d_windowLogMax]: windowLogOf(size) },
      }),
  }
}

/** The smallest window that holds `size` bytes. */
function windowLogOf(size: number): number {
  return Math.max(LEAST_WINDOW_LOG, Math.ceil(Math.log2(size)))
}

function absent(): Compressor {
  const unavailable = `node:zlib has zstd from Node 22.15 (and 23.8) on; this is Node ${process.versions.node}`
  const fail = async (): Promise<never> => {
    throw new CompressionError(`zstd: ${unavailable}`)
  }
  return { name: 'zstd', unavailable, compress: fail, decompress: fail }
}
