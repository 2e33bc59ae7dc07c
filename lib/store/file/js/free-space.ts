import type { Clock } from '../../../clock.js'
import type { Env } from '../env.js'

/** How long what the system said is believed, and for how many bytes more. */
const BELIEVED_MS = 1000
const BELIEVED_BYTES = 64 * 2 ** 20

/** Keeps a part of the file system free, whoever fills it. */
export class FreeSpace {
  readonly #env: Env
  readonly #clock: Clock
  readonly #path: string
  #minFree: number
  #left = 0
  #given = 0
  #lookedAt = Number.NEGATIVE_INFINITY

  /** @param minFree a share of the file system below 1, else bytes */
  constructor(env: Env, clock: Clock, path: string, minFree: number) {
    this.#env = env
    this.#clock = clock
    this.#path = path
    this.#minFree = minFree
  }

  /** So much stays free from here on; as in the constructor. */
  setMinFree(minFree: number): void {
    this.#minFree = minFree
    this.#lookedAt = Number.NEGATIVE_INFINITY
  }

  /** Whether `bytes` may be taken. What cannot be asked is not forbidden: then the write itself will say. */
  async allows(bytes: number, anew = false): Promise<boolean> {
    if (this.#minFree === 0) return true
    const old = this.#clock.monotonic() - this.#lookedAt > BELIEVED_MS || this.#given > BELIEVED_BYTES
    if (old || anew) await this.#look()
    if (this.#left < bytes) return false
    this.#left -= bytes
    this.#given += bytes
    return true
  }

  async #look(): Promise<void> {
    try {
      const { total, free } = await this.#env.space(this.#path)
      const least = this.#minFree < 1 ? total * this.#minFree : this.#minFree
      this.#left = free - least
    } catch {
      this.#left = Number.POSITIVE_INFINITY
    }
    this.#given = 0
    this.#lookedAt = this.#clock.monotonic()
  }
}
