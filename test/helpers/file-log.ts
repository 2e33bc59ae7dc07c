import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { contextOf, withNumber } from '../../lib/store/file/format/checksum.js'
import { decodeDirectory } from '../../lib/store/file/format/directory.js'
import { segmentName, segmentOf } from '../../lib/store/file/format/names.js'
import { decodeRecord, KIND, partsOf } from '../../lib/store/file/format/record.js'
import { SEGMENT_HEADER } from '../../lib/store/file/format/segment.js'

/** A record of the log, and where it is. */
export interface LogRecord {
  /** Path of its segment. */
  readonly file: string
  readonly segment: number
  readonly offset: number
  readonly end: number
  readonly headBytes: number
  readonly kind: number
  readonly flags: number
  /** Of a put. */
  readonly key: string | undefined
  readonly sequence: number
}

/** Numbers of the segments of a directory. */
export function segmentsOf(dir: string): number[] {
  return readdirSync(join(dir, 'log'))
    .map(segmentOf)
    .filter((number) => number !== undefined)
    .sort((a, b) => a - b)
}

/** The records of a segment up to the first place that has none. */
export function recordsOf(dir: string, segment = 1): LogRecord[] {
  const header = decodeDirectory(readFileSync(join(dir, 'DREY')))
  if (typeof header !== 'object') throw new Error('no header')
  const context = withNumber(contextOf(header.storeId, 'HEAD'), segment)
  const file = join(dir, 'log', segmentName(segment))
  const bytes = readFileSync(file)
  const records: LogRecord[] = []
  for (let offset = SEGMENT_HEADER; ; ) {
    const head = decodeRecord(bytes, offset, offset, context)
    if (head === undefined) return records
    const end = offset + head.recordBytes
    const { key: at } = partsOf(head)
    const key =
      head.kind === KIND.put ? bytes.toString('utf8', offset + at, offset + at + head.keyBytes) : undefined
    const { headBytes, kind, flags, sequence } = head
    records.push({ file, segment, offset, end, headBytes, kind, flags, key, sequence })
    offset = end
  }
}

/** The records of all segments, in the order of the log. */
export function logOf(dir: string): LogRecord[] {
  return segmentsOf(dir).flatMap((segment) => recordsOf(dir, segment))
}
