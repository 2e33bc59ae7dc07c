import { types } from 'node:util'
import { ConfigError } from '../errors.js'
import { crc32cJs } from './crc32c-js.js'
import { native } from './loader.js'

// Below this the call into the addon costs more than the work: see `npm run bench:micro -- crc32c`.
const WORTH_A_CALL = 96

let chosen: ((bytes: Uint8Array, seed: number) => number) | undefined

/**
 * CRC32C (Castagnoli, RFC 3720) of some bytes, as a number of 0 to 2^32 - 1. Runs at once, on the calling thread.
 *
 * @param bytes A Buffer, any other view, or a whole ArrayBuffer; shared memory too, of which the result means
 *   something only if nobody writes to it meanwhile.
 * @param seed The checksum of what comes before, so that pieces can be checked one after another:
 *   `crc32c(b, crc32c(a))` is that of `a` and `b` together. Default 0, which is that of nothing.
 * @throws ConfigError `ERR_DREY_CONFIG`: `bytes` are not bytes or were detached, or `seed` is not an integer of 32 bits.
 * @throws NativeError `ERR_DREY_NATIVE`: the addon is demanded by `DREY_NATIVE=1` and cannot be loaded.
 */
export function crc32c(bytes: NodeJS.ArrayBufferView | ArrayBufferLike, seed = 0): number {
  if (seed >>> 0 !== seed) {
    throw new ConfigError(
      `crc32c: seed is ${show(seed)}; want an integer from 0 to 4294967295, such as an earlier result`,
    )
  }
  const view = bytes instanceof Uint8Array && bytes.length > 0 ? bytes : viewOf(bytes)
  // Chosen also where it is not needed: a demand for the addon must not depend on how much is given.
  chosen ??= native()?.crc32c ?? crc32cJs
  return view.length < WORTH_A_CALL ? crc32cJs(view, seed) : chosen(view, seed)
}

function viewOf(bytes: unknown): Uint8Array {
  if (ArrayBuffer.isView(bytes)) {
    // A view of memory that was transferred away looks empty; only making another view tells.
    return overMemory(() => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
  }
  if (types.isAnyArrayBuffer(bytes)) {
    return overMemory(() => new Uint8Array(bytes))
  }
  throw new ConfigError(`crc32c: bytes is ${show(bytes)}; want a Buffer, another view, or an ArrayBuffer`)
}

function overMemory(view: () => Uint8Array): Uint8Array {
  try {
    return view()
  } catch (cause) {
    throw new ConfigError('crc32c: bytes were detached: the memory was transferred to somebody else', {
      cause,
    })
  }
}

function show(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'an object'
  return typeof value === 'string' || typeof value === 'function' ? `a ${typeof value}` : String(value)
}
