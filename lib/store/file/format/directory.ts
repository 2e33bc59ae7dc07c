import { crc32c } from '../../../native/crc32c.js'
import { FORMAT_VERSION, isZero, MAX_PARTITIONS, readU64, STORE_ID_BYTES, writeU64 } from './numbers.js'

/** Length of the file `DREY`: two copies of a header. */
export const DIRECTORY_BYTES = 1024

const MAGIC = Buffer.from([0x44, 0x52, 0x45, 0x59, 0x0d, 0x0a, 0x1a, 0x0a])
const HEADER = 128
const COPIES = [0, 512] as const
const CHECKED = 124

/** What a directory is (docs/disk-format.md, section 4). */
export interface DirectoryHeader {
  /** 16 bytes, random. */
  readonly storeId: Buffer
  /** 16 bytes, under which keys are hashed. */
  readonly secret: Buffer
  readonly partitions: number
  /** Epoch milliseconds. */
  readonly madeAt: number
}

export function encodeDirectory({ storeId, secret, partitions, madeAt }: DirectoryHeader): Buffer {
  const bytes = Buffer.alloc(DIRECTORY_BYTES)
  MAGIC.copy(bytes, 0)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(HEADER, 12)
  storeId.copy(bytes, 16, 0, STORE_ID_BYTES)
  secret.copy(bytes, 32, 0, 16)
  bytes.writeUInt32LE(partitions, 48)
  writeU64(bytes, madeAt, 56)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CHECKED)), CHECKED)
  bytes.copy(bytes, COPIES[1], 0, HEADER)
  return bytes
}

/** The header in the first whole copy; a number when that is of such a newer version; undefined when there is none. */
export function decodeDirectory(bytes: Buffer): DirectoryHeader | number | undefined {
  for (const at of COPIES) {
    if (bytes.length < at + HEADER) return undefined
    const header = decodeCopy(bytes.subarray(at, at + HEADER))
    if (header !== undefined) return header
  }
  return undefined
}

function decodeCopy(bytes: Buffer): DirectoryHeader | number | undefined {
  if (!bytes.subarray(0, 8).equals(MAGIC)) return undefined
  if (bytes.readUInt32LE(CHECKED) !== crc32c(bytes.subarray(0, CHECKED))) return undefined
  const version = bytes.readUInt32LE(8)
  if (version > FORMAT_VERSION) return version
  const partitions = bytes.readUInt32LE(48)
  const madeAt = readU64(bytes, 56)
  const sound =
    version === FORMAT_VERSION &&
    bytes.readUInt32LE(12) === HEADER &&
    isPartitions(partitions) &&
    Number.isSafeInteger(madeAt) &&
    isZero(bytes, 52, 56) &&
    isZero(bytes, 64, CHECKED)
  if (!sound) return undefined
  return {
    storeId: Buffer.from(bytes.subarray(16, 32)),
    secret: Buffer.from(bytes.subarray(32, 48)),
    partitions,
    madeAt,
  }
}

/** Whether `value` is a power of two from 1 to 256. */
export function isPartitions(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MAX_PARTITIONS && (value & (value - 1)) === 0
}
