import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../../clock.js'

/** How long a browser is known for, in ms. */
export const SESSION_MS = 12 * 3_600_000

const NAME = 'drey_dashboard'

/**
 * Whom a browser is known by after it was given the token: a cookie that says until when, and that nobody can make without the token. Nothing is
 * kept of it here: it holds after a restart, and no longer once the token is another one.
 */
export class Sessions {
  readonly #key: Buffer
  readonly #clock: Pick<Clock, 'now'>

  constructor(token: string, clock: Pick<Clock, 'now'>) {
    this.#key = createHash('sha256').update(`drey dashboard session\0${token}`).digest()
    this.#clock = clock
  }

  /** What `Set-Cookie` says. It is sent to `path` and below, by pages of this site alone, and no script sees it. */
  issue(path: string, isSecure: boolean): string {
    const said = `${(this.#clock.now() + SESSION_MS).toString(36)}.${randomBytes(12).toString('base64url')}`
    const attributes = `Path=${path}; Max-Age=${SESSION_MS / 1000}; HttpOnly; SameSite=Strict`
    return `${NAME}=${said}.${this.#sign(said)}; ${attributes}${isSecure ? '; Secure' : ''}`
  }

  accepts({ cookie }: IncomingHttpHeaders): boolean {
    return (cookie ?? '').split(';').some((pair) => {
      const [, said, until, signature] = PATTERN.exec(pair.trim()) ?? []
      if (said === undefined || until === undefined || signature === undefined) return false
      const [given, wanted] = [Buffer.from(signature), Buffer.from(this.#sign(said))]
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return false
      const left = Number.parseInt(until, 36) - this.#clock.now()
      return left > 0 && left <= SESSION_MS
    })
  }

  #sign(said: string): string {
    return createHmac('sha256', this.#key).update(said).digest('base64url')
  }
}

const PATTERN = new RegExp(`^${NAME}=(([0-9a-z]{1,12})\\.[\\w-]{16})\\.([\\w-]{43})$`)
