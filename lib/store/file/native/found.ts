import {
  CACHED_AT,
  CODEC_AT,
  CODEC_SIZE,
  DOUBT,
  ETAG_AT,
  ETAG_SIZE,
  FRESH_UNTIL,
  LABELS_AT,
  LABELS_SIZE,
  NEGATIVE,
  SIZE,
  STALE_IF_ERROR_UNTIL,
  STALE_UNTIL,
  USER_AT,
  USER_SIZE,
} from '../../../native/file-numbers.js'
import { decodeLabels, NO_TAGS, parseUser, UNTAGGED } from '../../metadata.js'
import type { Metadata, StoredEntry } from '../../store.js'

/** An entry that a native store opened, and which one of its key that is, so that it can be revised. */
export interface NativeEntry extends StoredEntry {
  readonly sequence: number
}

/** Metadata of what was found; `memory` has its texts. Undefined when the user's part is no JSON, or the labels are none. */
export function foundMetadata(numbers: Float64Array, memory: Buffer): Metadata | undefined {
  const etagSize = numbers[ETAG_SIZE]!
  const userSize = numbers[USER_SIZE]!
  // An entry in doubt can be revalidated with its origin, and nothing else.
  const doubt = numbers[DOUBT] === 1
  const size = numbers[SIZE]!
  const cachedAt = numbers[CACHED_AT]!
  const freshUntil = doubt ? 0 : numbers[FRESH_UNTIL]!
  const staleUntil = doubt ? 0 : numbers[STALE_UNTIL]!
  const staleIfErrorUntil = doubt ? 0 : numbers[STALE_IF_ERROR_UNTIL]!
  const negative = numbers[NEGATIVE] === 1
  const labelsSize = numbers[LABELS_SIZE]!
  if (etagSize < 0 && userSize < 0 && labelsSize < 0) {
    return { size, cachedAt, freshUntil, staleUntil, staleIfErrorUntil, negative, tags: NO_TAGS }
  }
  const etag = textAt(memory, numbers[ETAG_AT]!, etagSize)
  const text = textAt(memory, numbers[USER_AT]!, userSize)
  const user = text === undefined ? undefined : userOf(text)
  if (text !== undefined && user === undefined) return undefined
  const labelText = textAt(memory, numbers[LABELS_AT]!, labelsSize)
  const labels = labelText === undefined ? UNTAGGED : decodeLabels(labelText)
  if (labels === undefined) return undefined
  return {
    size,
    cachedAt,
    freshUntil,
    staleUntil,
    staleIfErrorUntil,
    negative,
    ...labels,
    ...(etag === undefined ? {} : { etag }),
    ...(user === undefined ? {} : { user }),
  }
}

/** The name of the user's compressor that made some of its chunks, if one did. */
export function foundCodecName(numbers: Float64Array, memory: Buffer): string | undefined {
  return textAt(memory, numbers[CODEC_AT]!, numbers[CODEC_SIZE]!)
}

function textAt(memory: Buffer, at: number, size: number): string | undefined {
  return size < 0 ? undefined : memory.toString('utf8', at, at + size)
}

function userOf(text: string): unknown {
  try {
    return parseUser(text)
  } catch {
    // A writer that stores what is no JSON: as good as damaged, and told as a miss.
    return undefined
  }
}

/** A value in memory, which holds nothing of the store. */
export class InHandEntry implements NativeEntry {
  readonly metadata: Metadata
  readonly sequence: number
  readonly #value: Buffer

  constructor(metadata: Metadata, value: Buffer, sequence: number) {
    this.metadata = metadata
    this.#value = value
    this.sequence = sequence
  }

  read(target: Uint8Array, position: number): number {
    return position < this.#value.length ? this.#value.copy(target, 0, position) : 0
  }

  own(): Buffer {
    return this.#value
  }

  release(): void {
    // Nothing is held.
  }
}
