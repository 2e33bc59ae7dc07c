import { crc32c } from '../../../native/crc32c.js'
import { writeU64 } from './numbers.js'

/*
 * Checksums in a context (docs/disk-format.md, section 2): a structure that was moved, swapped or copied elsewhere is damaged
 * there. A context is the checksum of its bytes so far; what is checked goes on from it.
 */

export type Context = number

/** What a checksum is for. */
export type Tag = 'SEGM' | 'HEAD' | 'BLOB' | 'IMAG' | 'PAGE' | 'TAGS'

const word = Buffer.alloc(8)

export function contextOf(storeId: Uint8Array, tag: Tag): Context {
  return crc32c(Buffer.from(tag, 'latin1'), crc32c(storeId))
}

/** `context`, and then `number` as u64. */
export function withNumber(context: Context, number: number): Context {
  writeU64(word, number, 0)
  return crc32c(word, context)
}

/** `context`, and then `bytes`. */
export function withBytes(context: Context, bytes: Uint8Array): Context {
  return crc32c(bytes, context)
}
