/*
 * CRC32C without the addon: slicing by eight, as native/core/crc32c/portable.cc, and like there no constant
 * but the polynomial. One table of 8 × 256 words; row s holds what a byte leaves in the register after itself
 * and s more bytes of zero.
 */

// 0x1EDC6F41, reflected.
const POLYNOMIAL = 0x82f63b78
const SLICES = 8
const TABLE = makeTable()

function makeTable(): Int32Array {
  const table = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0)
    table[byte] = remainder
  }
  for (let index = 256; index < table.length; index++) {
    const before = table[index - 256]!
    table[index] = (before >>> 8) ^ table[before & 0xff]!
  }
  return table
}

/** The CRC32C of `bytes` appended to data whose CRC32C is `seed`. */
export function crc32cJs(bytes: Uint8Array, seed: number): number {
  const table = TABLE
  const size = bytes.length
  const whole = size - (size % SLICES)
  let state = ~seed
  let at = 0
  // Single bytes rather than words of a DataView: making one costs more than hashing a hundred bytes.
  for (; at < whole; at += SLICES) {
    state =
      table[0x700 | ((state ^ bytes[at]!) & 0xff)]! ^
      table[0x600 | (((state >>> 8) ^ bytes[at + 1]!) & 0xff)]! ^
      table[0x500 | (((state >>> 16) ^ bytes[at + 2]!) & 0xff)]! ^
      table[0x400 | ((state >>> 24) ^ bytes[at + 3]!)]! ^
      table[0x300 | bytes[at + 4]!]! ^
      table[0x200 | bytes[at + 5]!]! ^
      table[0x100 | bytes[at + 6]!]! ^
      table[bytes[at + 7]!]!
  }
  for (; at < size; at++) state = (state >>> 8) ^ table[(state ^ bytes[at]!) & 0xff]!
  return ~state >>> 0
}
