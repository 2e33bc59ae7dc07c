import { crc32c } from '../../../native/crc32c.js'
import { MAX_TAG_BYTES } from '../../metadata.js'
import type { TagFloor } from '../../store.js'
import { MAX_SEQUENCE } from '../../tag-floors.js'
import { type Context, withNumber } from './checksum.js'
import { BOOT_ID_BYTES, isZero, pad8, readU64, writeU64 } from './numbers.js'

/*
 * A frame of a file of tags (docs/disk-format.md, section 12).
 */

const HEAD = 48
/** Of a floor, beside its tag. */
export const TAG_FLOOR_BYTES = 26
const MARK = 0xd4e8
const OPEN = 1
/** No frame, and no file, is longer. */
export const MOST_TAGS_FILE = 4 * 1024 * 1024

/** What a frame says beside floors. */
export interface TagsHead {
  readonly sequence: number
  /** Frames behind it may not have been synced: those are lost if the machine was started anew. */
  readonly open: boolean
  readonly bootId: Buffer
}

export type TagsFrame =
  | {
      readonly kind: 'whole'
      readonly bytes: number
      readonly head: TagsHead
      readonly floors: readonly TagFloor[]
    }
  /** Nothing follows; the file ends within the frame, or there are only zeros; it is not what was written. */
  | { readonly kind: 'end' | 'torn' | 'damaged' }

const DAMAGED = { kind: 'damaged' } as const

/** @param context of the files of tags */
function placed(context: Context, number: number, offset: number): Context {
  return withNumber(withNumber(context, number), offset)
}

/** A frame at `offset` of file `number`. */
export function encodeTags(
  floors: readonly TagFloor[],
  { sequence, open, bootId }: TagsHead,
  context: Context,
  number: number,
  offset: number,
): Buffer {
  const tags = floors.map(({ tag }) => Buffer.from(tag))
  const body = tags.reduce((sum, { length }) => sum + TAG_FLOOR_BYTES + length, 0)
  const bytes = Buffer.alloc(pad8(HEAD + body))
  let at = HEAD
  for (const [index, { hard, soft, at: since }] of floors.entries()) {
    const tag = tags[index]!
    writeU64(bytes, hard, at)
    writeU64(bytes, soft, at + 8)
    bytes.writeDoubleLE(since, at + 16)
    bytes.writeUInt16LE(tag.length, at + 24)
    at += TAG_FLOOR_BYTES + tag.copy(bytes, at + TAG_FLOOR_BYTES)
  }
  const seed = placed(context, number, offset)
  bytes.writeUInt32LE(crc32c(bytes.subarray(HEAD, HEAD + body), seed), 4)
  bytes.writeUInt16LE(MARK, 8)
  bytes.writeUInt16LE(open ? OPEN : 0, 10)
  bytes.writeUInt32LE(body, 12)
  writeU64(bytes, sequence, 16)
  bytes.writeUInt32LE(floors.length, 24)
  bootId.copy(bytes, 32, 0, BOOT_ID_BYTES)
  bytes.writeUInt32LE(crc32c(bytes.subarray(4, HEAD), seed), 0)
  return bytes
}

/** What is at `offset` of `file`, which is all of file `number`. */
export function decodeTags(file: Buffer, context: Context, number: number, offset: number): TagsFrame {
  const rest = file.subarray(offset)
  if (rest.length === 0) return { kind: 'end' }
  if (rest.length < HEAD || isZero(rest, 0, rest.length)) return { kind: 'torn' }
  const seed = placed(context, number, offset)
  const flags = rest.readUInt16LE(10)
  const sound =
    rest.readUInt32LE(0) === crc32c(rest.subarray(4, HEAD), seed) &&
    rest.readUInt16LE(8) === MARK &&
    flags <= OPEN &&
    isZero(rest, 28, 32)
  if (!sound) return DAMAGED
  const body = rest.readUInt32LE(12)
  const sequence = readU64(rest, 16)
  if (body > MOST_TAGS_FILE || sequence > MAX_SEQUENCE) return DAMAGED
  const bytes = pad8(HEAD + body)
  if (bytes > rest.length) return { kind: 'torn' }
  const inner = rest.subarray(HEAD, HEAD + body)
  if (rest.readUInt32LE(4) !== crc32c(inner, seed) || !isZero(rest, HEAD + body, bytes)) return DAMAGED
  const floors = floorsIn(inner, rest.readUInt32LE(24), sequence)
  if (floors === undefined) return DAMAGED
  const head = { sequence, open: flags === OPEN, bootId: rest.subarray(32, 32 + BOOT_ID_BYTES) }
  return { kind: 'whole', bytes, head, floors }
}

function floorsIn(bytes: Buffer, count: number, sequence: number): TagFloor[] | undefined {
  const floors: TagFloor[] = []
  let at = 0
  for (let index = 0; index < count; index += 1) {
    if (bytes.length - at < TAG_FLOOR_BYTES) return undefined
    const hard = readU64(bytes, at)
    const soft = readU64(bytes, at + 8)
    const since = bytes.readDoubleLE(at + 16)
    const length = bytes.readUInt16LE(at + 24)
    at += TAG_FLOOR_BYTES
    if (length > MAX_TAG_BYTES || length > bytes.length - at) return undefined
    if (Math.max(hard, soft) > sequence || !Number.isFinite(since)) return undefined
    floors.push({ tag: bytes.toString('utf8', at, at + length), hard, soft, at: since })
    at += length
  }
  return at === bytes.length ? floors : undefined
}
