import type { Draft, Metadata } from '../store.js'

/** A draft that gathers what it is given, to be set with others. */
export class GatheredDraft implements Draft {
  #pieces: Uint8Array[] = []
  metadata: Metadata | undefined

  write(chunk: Uint8Array): boolean {
    // Memory that is used again once this has returned.
    this.#pieces.push(Buffer.from(chunk))
    return true
  }

  commit(metadata: Metadata): boolean {
    this.metadata = metadata
    return true
  }

  abort(): void {
    this.#pieces = []
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#pieces)
  }
}
