import { createHash } from 'node:crypto'

/*
 * What the origin of a bench serves: `/SIZE` or `/SIZE/NAME` are so many bytes, told by nothing but their path, so that who
 * checks them needs no catalogue. The path stands at the front of a body; the rest is the same for all, and looks random.
 */

const UNITS = { KiB: 1024, MiB: 2 ** 20 }
const LARGEST = 8 * 2 ** 20
/** So much of a path as stands in a body. */
const STAMP = 32

const SIZE = /^\/(\d+)(KiB|MiB)?(?:\/[^/?#]*)?$/

/** The same bytes at every run; bodies are beginnings of it. */
let common
function commonBytes() {
  common ??= createHash('shake256', { outputLength: LARGEST }).update('drey').digest()
  return common
}

/** The bytes that a path has; undefined where it has none. */
export function sizeOf(path) {
  const match = SIZE.exec(path)
  if (match === null) return undefined
  const size = Number(match[1]) * (UNITS[match[2]] ?? 1)
  return size <= LARGEST ? size : undefined
}

/**
 * A body in two pieces, of which the larger is not made anew.
 *
 * @param {string} path one that has a size
 * @returns {[stamp: Buffer, rest: Buffer]}
 */
export function piecesOf(path) {
  const size = sizeOf(path)
  const length = Math.min(STAMP, size)
  const stamp = Buffer.alloc(length, ' ')
  // The end of a path tells it from others of its size.
  stamp.write(path.slice(-length), 'latin1')
  return [stamp, commonBytes().subarray(length, size)]
}

export const bodyOf = (path) => Buffer.concat(piecesOf(path))

/**
 * Says whether bytes are those of a body from place `at` on, whatever pieces they come in.
 *
 * @param {string} path one that has a size
 * @returns {(bytes: Buffer, from: number, length: number, at: number) => boolean} `length` bytes of `bytes`, from `from` on
 */
export function matcherOf(path) {
  const size = sizeOf(path)
  const [stamp] = piecesOf(path)
  const whole = commonBytes()
  return (bytes, from, length, at) => {
    if (at + length > size) return false
    const stamped = Math.max(0, Math.min(length, stamp.length - at))
    return (
      (stamped === 0 || stamp.compare(bytes, from, from + stamped, at, at + stamped) === 0) &&
      (stamped === length ||
        whole.compare(bytes, from + stamped, from + length, at + stamped, at + length) === 0)
    )
  }
}
