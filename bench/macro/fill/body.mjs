/** Bytes of one piece of the body. */
export const PIECE = 256 * 1024

const piece = Buffer.allocUnsafeSlow(PIECE)
for (let at = 0; at < PIECE; at += 4) piece.writeUInt32LE(Math.imul(at + 1, 2_654_435_761) >>> 0, at)

/** A body of `size` bytes, a multiple of PIECE: the same bytes again and again, but for the number of the piece that each begins with. */
export function* bodyOf(size) {
  for (let number = 0; number < size / PIECE; number += 1) {
    const own = Buffer.from(piece)
    own.writeUInt32LE(number, 0)
    yield own
  }
}
