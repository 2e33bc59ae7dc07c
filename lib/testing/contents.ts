/** Bytes that nothing makes smaller; the same for the same seed. */
export function noise(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  let state = (seed * 2654435761 + 1) >>> 0
  for (let at = 0; at < size; at += 1) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state >>> 16
  }
  return bytes
}

/** Text that gets some times smaller. */
export function text(size: number, seed = 1): Uint8Array {
  const words = 'the quick brown fox jumps over a lazy dog and {"id": , "name": ""} <div class="row">'.split(
    ' ',
  )
  const picks = noise(Math.ceil(size / 2) + 1, seed)
  let made = ''
  for (let at = 0; made.length < size; at += 1) made += `${words[picks[at]! % words.length]} `
  return new TextEncoder().encode(made.slice(0, size))
}

/** Contents of every kind that compressors treat in their own way, by name. */
export function contentsOf(size: number, seed = 1): Array<readonly [string, Uint8Array]> {
  const mixed = noise(size, seed)
  mixed.set(text(Math.floor(size / 2), seed), Math.floor(size / 4))
  return [
    ['noise', noise(size, seed)],
    ['text', text(size, seed)],
    ['zeros', new Uint8Array(size)],
    ['mixed', mixed],
  ]
}
