/*
 * Objects whose every byte tells whose it is and where it belongs, so that a chunk of another one, or of another place,
 * is found out wherever it turns up.
 */

/** Of an object, a word: mixed so that neither neighbours nor other objects have the same (after the finaliser of MurmurHash3). */
function wordOf(id, at) {
  let word = Math.imul(id, 0x9e3779b1) ^ at
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35)
  return word ^ (word >>> 16)
}

/** All bytes of an object. */
export function objectOf(id, size) {
  const words = new Uint32Array(Math.ceil(size / 4))
  for (let at = 0; at < words.length; at += 1) words[at] = wordOf(id, at)
  return Buffer.from(words.buffer, 0, size)
}

/** Checks what arrives of an object, piece by piece. */
export function checkerOf(expected) {
  let seen = 0
  return {
    get seen() {
      return seen
    },
    /** @throws when the piece is not what comes next */
    take(piece) {
      if (
        seen + piece.length > expected.length ||
        !expected.subarray(seen, seen + piece.length).equals(piece)
      )
        throw new Error(`wrong bytes at ${seen} of ${expected.length}`)
      seen += piece.length
    },
  }
}
