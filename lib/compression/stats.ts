/** What compression did since it was made. */
export interface CompressionStats {
  /** Who compresses: `'none'` when nobody does. */
  readonly codec: string
  /** Bytes of the chunks that were to be stored, before and after; those that were not tried are in both. */
  readonly rawBytes: number
  readonly storedBytes: number
  /** `rawBytes` by `storedBytes`; 1 before the first chunk. */
  readonly ratio: number
  /** Chunks that were stored compressed. */
  readonly compressed: number
  /** Chunks that were tried and kept as they are, because it did not pay. */
  readonly unpaid: number
  /** Chunks that were not tried: too small, of a type that is compressed already, or among others that did not pay. */
  readonly skipped: number
  /** Chunks that the compressor failed at; they are kept as they are. */
  readonly failures: number
  /** Chunks that were decompressed. */
  readonly decompressed: number
  /** Chunks that could not be: damaged, or of a codec that is not there. */
  readonly unreadable: number
}

/** Counts for `CompressionStats`. */
export class CompressionCounters {
  rawBytes = 0
  storedBytes = 0
  compressed = 0
  unpaid = 0
  skipped = 0
  failures = 0
  decompressed = 0
  unreadable = 0

  stored(size: number, stored: number): void {
    this.rawBytes += size
    this.storedBytes += stored
  }

  stats(codec: string): CompressionStats {
    const { rawBytes, storedBytes, compressed, unpaid, skipped, failures, decompressed, unreadable } = this
    const ratio = storedBytes === 0 ? 1 : rawBytes / storedBytes
    return {
      codec,
      rawBytes,
      storedBytes,
      ratio,
      compressed,
      unpaid,
      skipped,
      failures,
      decompressed,
      unreadable,
    }
  }
}
