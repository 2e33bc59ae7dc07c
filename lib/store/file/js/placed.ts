import { batchBody, encodeRecord, KIND, type RecordParts, recordBytesOf } from '../format/record.js'
import { type Append, bare, type Item, type Outcome } from './append.js'

/** The end of a batch, but for what it says of the members. */
export const BATCH: RecordParts = { ...bare(KIND.batch), body: Buffer.alloc(8) }

/** Records that have places, on their way to the disk. */
export class Placed {
  readonly segment: number
  readonly settled: Array<readonly [Item, Outcome]> = []
  bytes: Buffer = Buffer.alloc(0)
  readonly #records: Array<{
    readonly parts: RecordParts
    readonly place: { readonly offset: number; readonly sequence: number; readonly unsynced: number }
    readonly append: Append | undefined
  }> = []
  /** For the end of a batch, by its number among the records: the number of its first member. */
  readonly #batches = new Map<number, number>()

  constructor(segment: number) {
    this.segment = segment
  }

  get count(): number {
    return this.#records.length
  }

  add(
    parts: RecordParts,
    place: { offset: number; sequence: number; unsynced: number },
    append: Append | undefined,
  ): number {
    this.#records.push({ parts, place, append })
    return this.#records.length - 1
  }

  endBatch(first: number, end: number): void {
    this.#batches.set(end, first)
  }

  allocate(bytes: number): void {
    this.bytes = Buffer.allocUnsafeSlow(bytes)
  }

  encode(context: number): void {
    const checksums: number[] = []
    const start = this.#records[0]!.place.offset
    for (const [index, { parts, place }] of this.#records.entries()) {
      const first = this.#batches.get(index)
      const whole = first === undefined ? parts : { ...parts, body: batchBody(checksums.slice(first)) }
      checksums.push(encodeRecord(whole, place, context, this.bytes, place.offset - start))
    }
  }

  apply(): void {
    for (const { parts, place, append } of this.#records) {
      append?.apply({
        segment: this.segment,
        offset: place.offset,
        length: recordBytesOf(parts),
        sequence: place.sequence,
      })
    }
    for (const [item, outcome] of this.settled) item.settle(outcome)
  }
}
