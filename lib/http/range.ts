/*
 * Range requests for bytes, RFC 9110 §14. A header that cannot be read, that asks for another unit or for several
 * parts is ignored, as a server may; the whole answers then.
 */

/** One range as it was asked for: from `first` to `last`, or the last `suffix` bytes. */
export type RangeSpec =
  | { readonly first: number; readonly last: number; readonly suffix?: undefined }
  | { readonly suffix: number }

/** Bytes `start` to `end`, both included. */
export interface Slice {
  readonly start: number
  readonly end: number
}

const SINGLE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i

/** What a `Range` field asks for; undefined when it is to be ignored. */
export function parseRange(field: string): RangeSpec | undefined {
  const match = SINGLE.exec(field)
  if (!match) return undefined
  const [, first, last] = match
  if (first === '') return last === '' ? undefined : { suffix: Number(last) }
  const spec = { first: Number(first), last: last === '' ? Number.POSITIVE_INFINITY : Number(last) }
  return spec.first > spec.last ? undefined : spec
}

/**
 * The bytes of a value of `size` that a spec means: `whole` when that is best said by the whole value,
 * `unsatisfiable` when there are none.
 */
export function sliceOf(spec: RangeSpec, size: number): Slice | 'whole' | 'unsatisfiable' {
  if (spec.suffix !== undefined) {
    if (spec.suffix === 0) return 'unsatisfiable'
    // The suffix of nothing is satisfiable, but no Content-Range can say so.
    return size === 0 ? 'whole' : { start: Math.max(0, size - spec.suffix), end: size - 1 }
  }
  return spec.first >= size ? 'unsatisfiable' : { start: spec.first, end: Math.min(spec.last, size - 1) }
}
