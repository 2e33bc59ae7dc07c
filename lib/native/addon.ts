/*
 * The typed surface of the addon: what native/node/ exports, and nothing else of it is used anywhere.
 */

/** What one copy of the addon gives. Arguments are checked by the caller; the addon guards memory only. */
export interface Addon {
  /** Of the package that it was built from. */
  readonly version: string
  /** Names of the implementations of CRC32C that this processor can run, fastest first; `crc32c` is the first. */
  readonly crc32cImplementations: readonly string[]
  /** The CRC32C of `bytes` appended to data whose CRC32C is `seed`. */
  readonly crc32c: (bytes: Uint8Array, seed: number) => number
  /** The same by one of `crc32cImplementations`, so that tests can compare them all. */
  readonly crc32cBy: (name: string, bytes: Uint8Array, seed: number) => number
  /** Writes SipHash-2-4-128 of `data` under the 16 bytes of `key` to the first four elements of `out`. */
  readonly hash128: (key: Uint8Array, data: Uint8Array | string, out: Uint32Array) => void
}

const FUNCTIONS = ['crc32c', 'crc32cBy', 'hash128'] as const satisfies ReadonlyArray<keyof Addon>

/**
 * Why `exports`, loaded from some file, is no addon of this package in this version; `undefined` if it is one.
 * The functions are looked at too, because in a checkout the sources change more often than the version.
 */
export function whyNotAddon(exports: unknown, version: string): string | undefined {
  if (typeof exports !== 'object' || exports === null) return 'exports nothing that drey knows'
  const given: Partial<Record<keyof Addon, unknown>> = exports
  if (given.version !== version) return `is of version ${given.version}, the package is of version ${version}`
  const missing = FUNCTIONS.filter((name) => typeof given[name] !== 'function')
  if (missing.length > 0 || !Array.isArray(given.crc32cImplementations)) {
    return `was built from older sources: it lacks ${missing.join(', ') || 'crc32cImplementations'}`
  }
  return undefined
}
