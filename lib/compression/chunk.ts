/** A piece of a value as it is stored: what has to be known of it to read it again. */
export interface StoredChunk {
  /** Id of the codec: 0 when `bytes` are the piece itself. */
  readonly codec: number
  /** Bytes of the piece, before. */
  readonly size: number
  /** As they are stored: fewer than `size` unless `codec` is 0. */
  readonly bytes: Uint8Array
}
