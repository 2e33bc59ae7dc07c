/*
 * The limits and constants of docs/disk-format.md, and integers of 64 bits as numbers: what passes 2^53 is of no
 * directory that anybody filled, and decoders refuse it.
 */

export const FORMAT_VERSION = 1
export const STORE_ID_BYTES = 16
export const KEY_HASH_BYTES = 16
export const BOOT_ID_BYTES = 16

/** Longest head of a record. */
export const MAX_HEAD = 256 * 1024
/** Largest packed value. */
export const MAX_PACKED = 1024 * 1024
/** Values are below this. */
export const MAX_VALUE = 2 ** 48
export const MIN_CHUNK_POWER = 12
export const MAX_CHUNK_POWER = 20
/** Longest segment. */
export const MAX_SEGMENT = 2 ** 32 - 8
export const MAX_PARTITIONS = 256

const WORD = 2 ** 32

/** The u64 at `at`; not a safe integer when it passes 2^53. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * WORD + bytes.readUInt32LE(at)
}

export function writeU64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % WORD, at)
  bytes.writeUInt32LE(Math.floor(value / WORD), at + 4)
}

/** `bytes` rounded up to a multiple of 8. */
export function pad8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8
}

export function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== 0) return false
  return true
}
