import { KeyError } from './errors.js'

/** Longest key, in bytes of UTF-8: 32 KiB. */
export const MAX_KEY_BYTES = 32 * 1024

/** A few characters of a key for a message; keys come from strangers and may be long or unprintable. */
export function showKey(key: string): string {
  return JSON.stringify(key.length > 80 ? `${key.slice(0, 77)}...` : key)
}

/**
 * Throws `ERR_DREY_KEY` unless `key` is a non-empty, well-formed string of at most 32 KiB in UTF-8. Ill-formed
 * UTF-16 is refused because lone surrogates all encode to the same bytes, and two keys would become one.
 */
export function assertKey(key: unknown): asserts key is string {
  if (typeof key !== 'string') {
    throw new KeyError(`a key is a string; got ${key === null ? 'null' : typeof key}`)
  }
  if (key.length === 0) throw new KeyError('a key has at least one character; got an empty string')
  // A UTF-16 unit takes at most 3 bytes of UTF-8, so only long keys need the exact count.
  if (key.length > MAX_KEY_BYTES / 3 && Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new KeyError(
      `a key has at most ${MAX_KEY_BYTES} bytes of UTF-8; got ${Buffer.byteLength(key)} (${showKey(key)}): hash what is longer`,
    )
  }
  if (!isWellFormed(key)) {
    throw new KeyError(`a key is well-formed UTF-16; got a lone surrogate in ${showKey(key)}`)
  }
}

// Node 20 has String.prototype.isWellFormed; the ES2023 library of TypeScript does not name it yet.
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}
