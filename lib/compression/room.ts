/** zlib refuses less. */
const LEAST = 64

/**
 * Bytes of the piece that zlib fills for a result of at most `size` bytes: all of it in one piece, and one byte more, for a piece
 * that is full to the last is followed by another.
 */
export function roomFor(size: number): number {
  return Math.max(LEAST, size + 1)
}
