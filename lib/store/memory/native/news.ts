import type { Addon } from '../../../native/addon.js'

/** What happened to a flight, as bits. Those that follow it learn more by looking. */
export const ALONE = 4

type Receiver = (events: number) => void

/** Hands the news of flights to who asked for them by token. One for a thread. */
export class News {
  readonly #addon: Addon
  readonly #receivers = new Map<number, Receiver>()
  #last = 0
  #open = false

  constructor(addon: Addon) {
    this.#addon = addon
  }

  /** A token whose news `receive` gets until `forget`. Must not throw. */
  receive(receive: Receiver): number {
    if (!this.#open) this.#addon.memoryNews(this.#deliver)
    this.#open = true
    this.#last += 1
    this.#receivers.set(this.#last, receive)
    return this.#last
  }

  forget(token: number): void {
    this.#receivers.delete(token)
  }

  readonly #deliver = (news: number[]): void => {
    for (let at = 0; at < news.length; at += 2) this.#receivers.get(news[at]!)?.(news[at + 1]!)
  }
}
