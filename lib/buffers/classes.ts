import { constants } from 'node:buffer'
import { showValue } from '../config/validate.js'
import { ConfigError } from '../errors.js'

/*
 * From a size to its class, in constant time: a table by steps of a power of two, narrow enough that at most one class ends
 * within a step where the classes allow it, so that one comparison settles the rest.
 */

const MOST_STEPS = 2 ** 16

/** Finds the place of the smallest class that fits a size. */
export class SizeClasses {
  readonly sizes: readonly number[]
  readonly #shift: number
  /** By (size - 1) >>> shift: the first class that fits the smallest size of that step. */
  readonly #first: Uint8Array

  /** @param sizes ascending, without doubles, at most 255 */
  constructor(sizes: readonly number[]) {
    this.sizes = sizes
    const largest = sizes.at(-1)!
    let gap = sizes[0]!
    for (let at = 1; at < sizes.length; at += 1) gap = Math.min(gap, sizes[at]! - sizes[at - 1]!)
    let shift = 31 - Math.clz32(gap)
    while (largest >>> shift >= MOST_STEPS) shift += 1
    this.#shift = shift
    this.#first = Uint8Array.from({ length: ((largest - 1) >>> shift) + 1 }, (_, step) =>
      sizes.findIndex((size) => size > step * 2 ** shift),
    )
  }

  /** `size` is a whole number of 1 to the largest class. */
  indexOf(size: number): number {
    let index = this.#first[(size - 1) >>> this.#shift]!
    // Once at most, unless classes lie closer together than a step of the largest table.
    while (this.sizes[index]! < size) index += 1
    return index
  }
}

/** @throws `ERR_DREY_CONFIG` when it is no size that a Buffer can have. */
export function checkSize(size: number): void {
  if (Number.isInteger(size) && size >= 0 && size <= constants.MAX_LENGTH) return
  throw new ConfigError(
    `size: got ${showValue(size)}; want a whole number of bytes from 0 to ${constants.MAX_LENGTH}, the longest Buffer of Node`,
  )
}
