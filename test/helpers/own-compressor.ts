import type { Compressor } from '../../lib/compression/compressor.js'

/**
 * A compressor that makes everything smaller by a fifth, noise too: it remembers what it was given, and what it makes of it is a number,
 * padded. So whatever a test stores is stored compressed. Calls can be held back, and seen.
 */
export class OwnCompressor implements Compressor {
  readonly name = 'own'
  readonly #remembered: Uint8Array[] = []
  /** How many calls are under way, and how many were at most. */
  underWay = 0
  most = 0
  compressions = 0
  decompressions = 0
  /** What a call waits for before it reads its input. */
  before: (() => Promise<unknown>) | undefined
  /** Says which chunks do not get smaller. */
  refuses: ((bytes: Uint8Array) => boolean) | undefined

  async compress(bytes: Uint8Array): Promise<Uint8Array> {
    this.compressions += 1
    return this.#run(() => {
      if (this.refuses?.(bytes) === true) return Uint8Array.from(bytes)
      const made = new Uint8Array(Math.max(4, Math.floor(bytes.length * 0.8)))
      new DataView(made.buffer).setUint32(0, this.#remembered.length)
      this.#remembered.push(Uint8Array.from(bytes))
      return made
    })
  }

  async decompress(bytes: Uint8Array, size: number): Promise<Uint8Array> {
    this.decompressions += 1
    return this.#run(() => {
      if (bytes.length < 4) throw new Error('no number')
      const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
      const whole = this.#remembered[number]
      if (whole?.length !== size) throw new Error(`nothing of ${size} bytes is remembered as ${number}`)
      return Uint8Array.from(whole)
    })
  }

  async #run<T>(work: () => T): Promise<T> {
    this.underWay += 1
    this.most = Math.max(this.most, this.underWay)
    try {
      await this.before?.()
      return work()
    } finally {
      this.underWay -= 1
    }
  }
}
