import { ConfigError, KeyError } from '../errors.js'
import { MAX_KEY_BYTES } from '../keys.js'
import { hash128Js } from './hash-js.js'
import { native } from './loader.js'

/** Bytes of the secret under which keys are hashed. */
export const HASH_KEY_BYTES = 16
/** Elements that a hash takes in a Uint32Array. */
export const HASH_WORDS = 4

type Hash = (key: Uint8Array, data: Uint8Array | string, out: Uint32Array) => void

let hash: Hash = (key, data, out) => {
  hash = native()?.hash128 ?? hashJs
  hash(key, data, out)
}

/**
 * The hash of keys: 128 bits of SipHash-2-4 under a secret, so that strangers, who choose the keys, cannot
 * choose their hashes. As bytes, little-endian, the result is the same on every path and machine, and may be
 * kept on a disk.
 *
 * @param key The secret, 16 bytes.
 * @param data Bytes of any length, or a string, hashed as UTF-8, of at most 32 KiB in that form.
 * @param out Its first four elements take the hash, lowest word first.
 * @throws ConfigError `ERR_DREY_CONFIG`: `key` has not 16 bytes, or `out` has no room.
 * @throws KeyError `ERR_DREY_KEY`: a string that is too long.
 * @throws NativeError `ERR_DREY_NATIVE`: the addon is demanded by `DREY_NATIVE=1` and cannot be loaded.
 */
export function hash128(key: Uint8Array, data: Uint8Array | string, out: Uint32Array): void {
  if (key.length !== HASH_KEY_BYTES) throw new ConfigError(`hash128: key has ${key.length} bytes; want 16`)
  if (out.length < HASH_WORDS)
    throw new ConfigError(`hash128: out has ${out.length} elements; want 4 or more`)
  if (
    typeof data === 'string' &&
    data.length > MAX_KEY_BYTES / 3 &&
    Buffer.byteLength(data) > MAX_KEY_BYTES
  ) {
    throw new KeyError(
      `hash128: data has ${Buffer.byteLength(data)} bytes of UTF-8; a string may have ${MAX_KEY_BYTES}, bytes any number`,
    )
  }
  hash(key, data, out)
}

const encoder = new TextEncoder()
const scratch = new Uint8Array(MAX_KEY_BYTES)

function hashJs(key: Uint8Array, data: Uint8Array | string, out: Uint32Array): void {
  if (typeof data === 'string') hash128Js(key, scratch, encoder.encodeInto(data, scratch).written, out)
  else hash128Js(key, data, data.length, out)
}
