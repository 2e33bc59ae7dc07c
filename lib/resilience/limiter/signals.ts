/** Who wants to know of an abort. */
export interface Listening {
  onAbort(): void
}

/**
 * Listens once to each signal, however many wait by it: Node warns of more than ten listeners, looks through all of them to
 * take one out, and calls them one by one, between which a slot could be granted to another who is to leave.
 *
 * Invariant: a signal is listened to exactly while there is somebody in its set.
 */
export class Signals {
  readonly #listening = new Map<AbortSignal, Set<Listening>>()
  readonly #afterwards: () => void

  /** @param afterwards called when all who listened to a signal were told */
  constructor(afterwards: () => void) {
    this.#afterwards = afterwards
  }

  /** @param signal one that is not aborted yet */
  add(signal: AbortSignal, one: Listening): void {
    const there = this.#listening.get(signal)
    if (there !== undefined) {
      there.add(one)
      return
    }
    this.#listening.set(signal, new Set([one]))
    signal.addEventListener('abort', this)
  }

  /** Does nothing to one who does not listen. */
  remove(signal: AbortSignal, one: Listening): void {
    const there = this.#listening.get(signal)
    if (there?.delete(one) && there.size === 0) this.#forget(signal)
  }

  handleEvent({ target }: Event): void {
    const signal = target as AbortSignal
    // Whoever is told may release what others listen for: they have left the set before their turn comes.
    for (const one of this.#listening.get(signal) ?? []) {
      this.remove(signal, one)
      one.onAbort()
    }
    this.#afterwards()
  }

  #forget(signal: AbortSignal): void {
    this.#listening.delete(signal)
    signal.removeEventListener('abort', this)
  }
}
