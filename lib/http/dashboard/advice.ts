import type { Cache } from '../../cache/cache.js'
import type { Clock } from '../../clock.js'
import { messageOf } from '../../errors.js'
import type { Advice, Recommendation } from '../../metrics/advice/advice.js'
import type { AdviceState, RecommendationState } from './messages.js'

/** To find it costs processor time: not more often than that. */
const EVERY_MS = 300_000

/**
 * The advice that is shown: what was found last. It is looked for when somebody looks on, at most every 5 minutes, and never twice at once.
 */
export class LatestAdvice {
  readonly #cache: Pick<Cache, 'advice'>
  readonly #clock: Clock
  #state: AdviceState = { at: null, requests: 0, recommendations: [], reason: 'looked for now' }
  #asked: number | undefined
  #isUnderWay = false

  constructor(cache: Pick<Cache, 'advice'>, clock: Clock) {
    this.#cache = cache
    this.#clock = clock
  }

  /** To be asked while somebody looks on. Never throws. */
  current(): AdviceState {
    const now = this.#clock.monotonic()
    const isDue = this.#asked === undefined || now - this.#asked >= EVERY_MS
    if (isDue && !this.#isUnderWay) {
      this.#asked = now
      void this.#ask()
    }
    return this.#state
  }

  async #ask(): Promise<void> {
    this.#isUnderWay = true
    try {
      this.#state = shown(await this.#cache.advice())
    } catch (error) {
      this.#state = { ...this.#state, reason: `it could not be found: ${messageOf(error)}` }
    } finally {
      this.#isUnderWay = false
    }
  }
}

function shown({ at, requests, recommendations }: Advice): AdviceState {
  return { at, requests, recommendations: recommendations.map(recommendation), reason: null }
}

function recommendation({ id, level, tier, message, change, gain }: Recommendation): RecommendationState {
  const how = change?.live === true ? 'while it runs' : 'with a restart'
  return {
    id,
    level,
    tier: tier ?? null,
    message,
    change:
      change === undefined ? null : `${change.option}: ${text(change.from)} → ${text(change.to)}, ${how}`,
    gain: gain === undefined ? null : `${gain.figure} ${figure(gain.now)} → ${figure(gain.then)}`,
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
}

function figure(value: number): string {
  return String(Number(value.toPrecision(3)))
}
