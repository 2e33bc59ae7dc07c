import { randomFillSync } from 'node:crypto'
import { HASH_KEY_BYTES, HASH_WORDS, hash128 } from '../../native/hash.js'

/** What policies know keys by: 32 bits of their hash, under a secret of each store, so that strangers who choose keys cannot make them collide (I11). */
export class KeyHash {
  readonly #secret = randomFillSync(new Uint8Array(HASH_KEY_BYTES))
  readonly #words = new Uint32Array(HASH_WORDS)

  /** As a signed integer. */
  of(key: string): number {
    hash128(this.#secret, key, this.#words)
    return this.#words[0]! | 0
  }
}
