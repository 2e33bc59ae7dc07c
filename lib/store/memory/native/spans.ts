import { type Addon, SPAN_BYTES } from '../../../native/addon.js'
import { VIEW_AT, VIEW_SIZE } from '../../../native/numbers.js'

const EMPTY = Buffer.alloc(0)

/**
 * Views of a store's arena. The arena is seen through ArrayBuffers of 4 MiB, each made when something in it is lent for
 * the first time, so that a view costs no call of the engine's that registers memory.
 */
export class Spans {
  readonly #addon: Addon
  readonly #store: number
  readonly #spans = new Map<number, ArrayBuffer>()

  constructor(addon: Addon, store: number) {
    this.#addon = addon
    this.#store = store
  }

  /** The view that the numbers name; undefined when it cannot be lent, and has to be copied. */
  view(numbers: Float64Array): Uint8Array | undefined {
    const size = numbers[VIEW_SIZE]!
    if (size === 0) return EMPTY
    if (size < 0) return undefined
    const at = numbers[VIEW_AT]!
    const index = Math.floor(at / SPAN_BYTES)
    let span = this.#spans.get(index)
    if (span === undefined) {
      span = this.#addon.memorySpan(this.#store, index)
      if (span === undefined) return undefined
      this.#spans.set(index, span)
    }
    return Buffer.from(span, at - index * SPAN_BYTES, size)
  }
}
