import type { ServerResponse } from 'node:http'
import type { Clock, Timer } from '../../clock.js'

/** What is told to who looks on. */
export interface Programme {
  /** Somebody looks on, and nobody did before. */
  begin(): void
  /** For who comes: events, as `eventOf` makes them. */
  first(): string
  /** For all, each second. */
  tick(): string
}

/** One connection. */
interface Viewer {
  readonly res: ServerResponse
  /** It has not read yet what it was given. */
  isBehind: boolean
  /** What it was not given for that reason, in a row. */
  missed: number
}

/** Who looks on at once, at most: each is given some hundred KiB at first. */
export const MOST_VIEWERS = 16
/** Ticks that one may miss before it is dropped. */
export const MOST_MISSED = 30
export const EVERY_MS = 1000

/** An event of a stream. */
export function eventOf(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

/**
 * Those who look on: streams of server-sent events.
 *
 * Invariants: there is a timer exactly while there are viewers; who does not read is given nothing more, so that no more than one message waits
 * for anybody; nothing is left after `close`.
 */
export class Audience {
  readonly #clock: Clock
  readonly #programme: Programme
  readonly #viewers = new Set<Viewer>()
  #timer: Timer | undefined
  #isClosed = false

  constructor(clock: Clock, programme: Programme) {
    this.#clock = clock
    this.#programme = programme
  }

  get size(): number {
    return this.#viewers.size
  }

  /** Whether there is room for one more. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.#viewers.size < MOST_VIEWERS
  }

  /** Takes over a response whose head was not written yet. */
  add(res: ServerResponse, headers: Readonly<Record<string, string>>): void {
    const viewer: Viewer = { res, isBehind: false, missed: 0 }
    if (this.#viewers.size === 0) this.#programme.begin()
    this.#viewers.add(viewer)
    res.on('close', () => this.#remove(viewer))
    // What cannot be written any more closes the response, which is heard above.
    res.on('error', () => res.destroy())
    res.on('drain', () => {
      viewer.isBehind = false
      if (viewer.missed === 0) return
      viewer.missed = 0
      this.#give(viewer, this.#programme.first())
    })
    res.writeHead(200, headers)
    this.#give(viewer, `retry: 1000\n\n${this.#programme.first()}`)
    if (this.#timer === undefined) this.#wait()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = undefined
    for (const { res, isBehind } of this.#viewers) {
      // Who does not read would keep the connection.
      if (isBehind) res.destroy()
      else res.end()
    }
    this.#viewers.clear()
  }

  #wait(): void {
    this.#timer = this.#clock.after(EVERY_MS, () => {
      this.#wait()
      const text = this.#programme.tick()
      for (const viewer of [...this.#viewers]) {
        if (!viewer.isBehind) this.#give(viewer, text)
        else if (viewer.missed < MOST_MISSED) viewer.missed += 1
        else viewer.res.destroy()
      }
    })
  }

  #give(viewer: Viewer, text: string): void {
    viewer.isBehind = !viewer.res.write(text)
  }

  #remove(viewer: Viewer): void {
    this.#viewers.delete(viewer)
    if (this.#viewers.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }
}
