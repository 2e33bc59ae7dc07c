import type { PolicyNode } from '../../policy/policy.js'
import { NO_TAGS, usefulUntil } from '../metadata.js'
import type { Metadata } from '../store.js'
import type { Account } from './ledger.js'
import type { Value } from './value.js'
import type { Timed } from './wheel.js'

/** What an entry costs beside key, metadata and value: its objects, links of policy and wheel, the slot of the Map. Measured by `npm run bench:micro -- memory-overhead`. */
export const ENTRY_OVERHEAD = 520

// What JSON costs as objects beside its texts, measured by the same command. Members take 8 bytes where many
// objects share their names, and up to 80 where every object has names of its own.
const STRING_OVERHEAD = 24
const NUMBER_BYTES = 16
const ARRAY_OVERHEAD = 48
const ITEM_BYTES = 8
const OBJECT_OVERHEAD = 64
const MEMBER_BYTES = 44

/** A draft, and what becomes of it when it is committed. The policy's and the wheel's fields are in it, so that neither allocates anything for it. */
export interface Entry extends PolicyNode<Entry>, Timed, Account {
  key: string
  readonly value: Value
  /** Undefined while the entry is a draft. */
  metadata: Metadata | undefined
  /** Which one it was in the order in which keys came into the Map; an overwrite keeps it. */
  slot: number
  /** As the policy knows the key; 0 where it does not ask. */
  hash: number
}

/** Until when the entry may be of use, in whole epoch milliseconds; `Infinity` is for ever. */
export function deadlineOf({ metadata }: Entry): number {
  return Math.ceil(usefulUntil(metadata!))
}

/** Bytes of an entry beside its value. */
export function headBytesOf(key: string, metadata: Metadata | undefined): number {
  let bytes = ENTRY_OVERHEAD + textBytes(key)
  if (metadata?.etag !== undefined) bytes += STRING_OVERHEAD + textBytes(metadata.etag)
  if (metadata?.user !== undefined) bytes += jsonBytes(metadata.user)
  for (const tag of metadata?.tags ?? NO_TAGS) bytes += ITEM_BYTES + STRING_OVERHEAD + textBytes(tag)
  return bytes
}

/** Bytes of the characters on the JS heap: one each where all are ASCII, else two, as V8 stores them at most. */
function textBytes(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length
}

/** Bytes of a JSON value on the JS heap, where it lives as objects. */
function jsonBytes(json: unknown): number {
  let bytes = 0
  // Not by recursion: the value may be nested as deep as its text is long.
  const left = [json]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value === 'string') bytes += STRING_OVERHEAD + textBytes(value)
    else if (typeof value === 'number') bytes += NUMBER_BYTES
    else if (Array.isArray(value)) {
      bytes += ARRAY_OVERHEAD + ITEM_BYTES * value.length
      for (const item of value) left.push(item)
    } else if (typeof value === 'object' && value !== null) {
      bytes += OBJECT_OVERHEAD
      for (const [name, member] of Object.entries(value)) {
        bytes += MEMBER_BYTES + textBytes(name)
        left.push(member)
      }
    }
  }
  return bytes
}

// V8 makes slices of strings at least this long by reference.
const SHORTEST_SLICE = 13

/**
 * The same key in memory of its own. A slice keeps the whole string that it was cut from alive: a key taken out
 * of a large text would hold that text for as long as the entry lives, and no ledger would know.
 */
export function ownKey(key: string): string {
  if (key.length < SHORTEST_SLICE) return key
  const encoding = Buffer.byteLength(key) === key.length ? 'latin1' : 'utf16le'
  return Buffer.from(key, encoding).toString(encoding)
}
