import type { Later } from '../../store.js'
import { type Env, readInto } from '../env.js'
import type { Context } from '../format/checksum.js'
import { isZero, MAX_HEAD } from '../format/numbers.js'
import { decodeRecord, FIXED_HEAD, KIND, peekRecord, type RecordHead } from '../format/record.js'

/*
 * Going through the records of a segment (docs/disk-format.md, section 8.1).
 */

/** Told of what is found, in order. */
export interface Visitor {
  /** A whole head, which is in `bytes` at `at`, until what is answered has come. Its data may be elsewhere, or cut off by the end of the file. */
  record(head: RecordHead, offset: number, bytes: Buffer, at: number): Later<void>
  /** Between two whole heads something that is none. */
  damage(from: number, to: number): void
}

/** How the records of a segment end. */
export interface WalkEnd {
  /** Behind the last whole head, and its data. */
  readonly offset: number
  /** What follows: nothing but zeros, a record of kind end, or something that is no record. */
  readonly kind: 'zeros' | 'ended' | 'damage'
}

const WINDOW = 1024 * 1024

/** A part of a file in memory, which moves on. */
class Window {
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  readonly #env: Env
  readonly #fd: number
  readonly #end: number
  readonly #space: Buffer

  constructor(env: Env, fd: number, end: number) {
    this.#env = env
    this.#fd = fd
    this.#end = end
    this.#space = Buffer.allocUnsafeSlow(Math.min(WINDOW + MAX_HEAD, Math.max(0, end)))
  }

  /** Whether [offset, offset + length) is in it. */
  has(offset: number, length: number): boolean {
    return offset >= this.start && offset + length <= this.start + this.bytes.length
  }

  /** Moves so that it begins at `offset`. */
  async move(offset: number): Promise<void> {
    const length = Math.max(0, Math.min(this.#space.length, this.#end - offset))
    const got = await readInto(this.#env, this.#fd, this.#space.subarray(0, length), offset)
    this.start = offset
    this.bytes = this.#space.subarray(0, got)
  }
}

/**
 * Tells `visitor` of the records from `from` on, in a file of `fileBytes`.
 *
 * @param context of the tag `HEAD` and the segment's number @throws what the system says
 */
export async function walk(
  env: Env,
  fd: number,
  from: number,
  fileBytes: number,
  context: Context,
  visitor: Visitor,
): Promise<WalkEnd> {
  const window = new Window(env, fd, fileBytes)
  let offset = from
  for (;;) {
    const head = await headAt(window, offset, fileBytes, context)
    if (head !== undefined) {
      const later = visitor.record(head, offset, window.bytes, offset - window.start)
      if (later instanceof Promise) await later
      offset += head.recordBytes
      if (head.kind === KIND.end) return { offset, kind: 'ended' }
      continue
    }
    const next = await lookOn(window, offset, fileBytes, context)
    if (typeof next === 'string') return { offset: Math.min(offset, fileBytes), kind: next }
    visitor.damage(offset, next)
    offset = next
  }
}

/** The whole head at `offset`, then in the window; undefined when there is none. */
async function headAt(
  window: Window,
  offset: number,
  fileBytes: number,
  context: Context,
): Promise<RecordHead | undefined> {
  if (offset + FIXED_HEAD > fileBytes) return undefined
  if (!window.has(offset, FIXED_HEAD)) await window.move(offset)
  if (!window.has(offset, FIXED_HEAD)) return undefined
  const { headBytes } = peekRecord(window.bytes, offset - window.start) ?? { headBytes: 0 }
  if (headBytes === 0 || offset + headBytes > fileBytes) return undefined
  if (!window.has(offset, headBytes)) await window.move(offset)
  return decodeRecord(window.bytes, offset - window.start, offset, context)
}

/** The next whole head behind `offset`, or what there is instead. */
async function lookOn(
  window: Window,
  offset: number,
  fileBytes: number,
  context: Context,
): Promise<number | 'zeros' | 'damage'> {
  let zeros = true
  for (let at = offset; at < fileBytes; at += 8) {
    const here = Math.min(8, fileBytes - at)
    if (!window.has(at, here)) await window.move(at)
    if (!window.has(at, here)) break
    const from = at - window.start
    if (isZero(window.bytes, from, from + here)) continue
    zeros = false
    if (at !== offset && (await headAt(window, at, fileBytes, context)) !== undefined) return at
  }
  return zeros ? 'zeros' : 'damage'
}
