import { promisify } from 'node:util'
import { gunzip as gunzipOf, gunzipSync, gzip as gzipOf } from 'node:zlib'
import type { Compressor } from './compressor.js'
import { roomFor } from './room.js'

/*
 * gzip, RFC 1952, by node:zlib. Its header, length and CRC-32 cost 18 bytes a chunk beside raw deflate, and make each chunk
 * a file that every tool reads; members that follow each other are one gzip stream.
 */

const compress = promisify<Uint8Array, { level: number; chunkSize: number }, Uint8Array>(gzipOf)
const decompress = promisify<Uint8Array, { maxOutputLength: number; chunkSize: number }, Uint8Array>(gunzipOf)

/** 15 to 25 µs at once, of which a thread would save nothing: it costs 70 to 100 µs to be asked. */
const SYNC_BYTES = { decompress: 8 * 1024 }

/** @param level 1, fastest, to 9, smallest */
export function gzip(level: number): Compressor {
  return {
    name: 'gzip',
    compress: (bytes) => compress(bytes, { level, chunkSize: roomFor(bytes.length) }),
    decompress: (bytes, size) => decompress(bytes, { maxOutputLength: size, chunkSize: roomFor(size) }),
    decompressSync: (bytes, size) => gunzipSync(bytes, { maxOutputLength: size, chunkSize: roomFor(size) }),
    syncBytes: SYNC_BYTES,
  }
}
