import { KEY_HASH_BYTES } from './numbers.js'

/*
 * Names in the directory (docs/disk-format.md, section 3). They come from numbers and keyed hashes, never from keys.
 */

export const DIRECTORY_FILE = 'DREY'
export const LOCK_FOLDER = 'LOCK'
export const LOG_FOLDER = 'log'

const DIRECTORY_DRAFT = /^DREY\.[0-9a-f]{16}$/
const SEGMENT = /^([0-9a-f]{16})\.seg$/
const IMAGE = /^([0-9a-f]{16})\.img$/
const TAGS = /^([0-9a-f]{16})\.tag$/
const BLOB = /^([0-9a-f]{32})-([0-9a-f]{16})$/
const PARTITION = /^[0-9a-f]{2}$/

/** Whether `name` is that of a header that is being written: no entry of a directory that is otherwise empty. */
export function isDirectoryDraft(name: string): boolean {
  return DIRECTORY_DRAFT.test(name)
}

export function segmentName(number: number): string {
  return `${hex64(number)}.seg`
}

export function imageName(number: number): string {
  return `${hex64(number)}.img`
}

export function tagsName(number: number): string {
  return `${hex64(number)}.tag`
}

/** The number in the name of a file of tags; undefined when it is none. */
export function tagsOf(name: string): number | undefined {
  const number = numberIn(TAGS.exec(name)?.[1]) ?? 0
  return number >= 1 && number < 2 ** 32 ? number : undefined
}

/** The number in the name of a segment; undefined when it is none. */
export function segmentOf(name: string): number | undefined {
  return numberIn(SEGMENT.exec(name)?.[1])
}

/** The number in the name of an image; undefined when it is none. */
export function imageOf(name: string): number | undefined {
  return numberIn(IMAGE.exec(name)?.[1])
}

export function partitionName(partition: number): string {
  return partition.toString(16).padStart(2, '0')
}

/** The partition that the folder `name` is of; undefined when it is none of `partitions`. */
export function partitionOf(name: string, partitions: number): number | undefined {
  if (!PARTITION.test(name)) return undefined
  const partition = Number.parseInt(name, 16)
  return partition < partitions ? partition : undefined
}

/** The path of a blob below the directory. */
export function blobPath(keyHash: Uint8Array, sequence: number, partitions: number): string {
  return `${partitionName(keyHash[0]! % partitions)}/${blobName(keyHash, sequence)}`
}

export function blobName(keyHash: Uint8Array, sequence: number): string {
  return `${Buffer.from(keyHash.buffer, keyHash.byteOffset, KEY_HASH_BYTES).toString('hex')}-${hex64(sequence)}`
}

/** What the name of a blob says; undefined when it is none. */
export function blobOf(name: string): { readonly keyHash: Buffer; readonly sequence: number } | undefined {
  const [, hash, digits] = BLOB.exec(name) ?? []
  const sequence = numberIn(digits)
  if (hash === undefined || sequence === undefined) return undefined
  return { keyHash: Buffer.from(hash, 'hex'), sequence }
}

function hex64(number: number): string {
  return number.toString(16).padStart(16, '0')
}

function numberIn(digits: string | undefined): number | undefined {
  if (digits === undefined) return undefined
  const number = Number.parseInt(digits, 16)
  return Number.isSafeInteger(number) ? number : undefined
}
