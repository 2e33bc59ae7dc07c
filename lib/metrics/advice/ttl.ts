import { showDuration } from '../../config/units.js'
import type { Recommendation } from './advice.js'
import { gainOf, percent, rounded } from './figures.js'
import { isNegative, isRequest, type Recording, SLICE } from './recording.js'
import type { Slices } from './slices.js'
import { KIND, kindOf } from './window.js'

/** Fewer calls of an origin, or a smaller share of requests that are, are not worth a word. */
const LEAST_CALLS = 50
const LEAST_SHARE = 0.05
/** So many of the answers have to be what they were. */
const NEARLY_ALL = 0.95
/** So many of the entries have to live for as long as the option says, for the option to be what would change it. */
const MOST = 0.8
/** So much longer. */
const LONGER = 4

/** Of `freshness`. */
export interface Lifetimes {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly negativeTtl: number
  readonly jitter: number
}

/** What origins were asked that had been asked before. */
interface Asked {
  readonly requests: number
  /** Calls for an entry that had lost its freshness, and those of them that changed nothing. */
  readonly again: number
  readonly same: number
  /** The same of "not found". */
  readonly negativeAgain: number
  readonly negativeSame: number
  /** Lifetimes that were given, and those of them that `freshness` says. */
  readonly lifetimes: number
  readonly own: number
}

/** A longer `ttl`, or `negativeTtl`, where asking again gives what was there nearly always. */
export function* ttlAdvice(recording: Recording, lifetimes: Lifetimes): Slices<Recommendation[]> {
  const asked = yield* askedAgain(recording, lifetimes)
  const found: Recommendation[] = []
  const { requests, again, same, negativeAgain, negativeSame } = asked
  if (isWorth(requests, again, same)) {
    const [now, then] = [
      yield* callsWith(recording, lifetimes, 1, false),
      yield* callsWith(recording, lifetimes, LONGER, false),
    ]
    const { ttl } = lifetimes
    const isOwn = Number.isFinite(ttl) && ttl > 0 && asked.own >= MOST * asked.lifetimes
    const said = `of ${again} entries that were asked for again at their origin ${percent(same / again)} had not changed`
    found.push({
      id: 'ttl',
      level: 'advice',
      tier: undefined,
      message: isOwn
        ? `a ttl of ${showDuration(LONGER * ttl)} in place of ${showDuration(ttl)} would spare the origin calls: ${said}`
        : `longer lifetimes would spare the origin calls: ${said}; the origin, or who calls fetch, says them`,
      evidence: { requests, again, same, share: rounded(again / requests) },
      change: isOwn ? { option: 'freshness.ttl', from: ttl, to: LONGER * ttl, live: true } : undefined,
      gain: gainOf('calls of the origin for each request, of entries that were there', now, then),
    })
  }
  if (isWorth(requests, negativeAgain, negativeSame)) {
    const [now, then] = [
      yield* callsWith(recording, lifetimes, 1, true),
      yield* callsWith(recording, lifetimes, LONGER, true),
    ]
    const { negativeTtl } = lifetimes
    found.push({
      id: 'ttl',
      level: 'advice',
      tier: undefined,
      message: `a negativeTtl of ${showDuration(LONGER * negativeTtl)} in place of ${showDuration(negativeTtl)} would spare the origin calls: of ${negativeAgain} answers "not found" that were asked for again ${percent(negativeSame / negativeAgain)} were the same`,
      evidence: {
        requests,
        again: negativeAgain,
        same: negativeSame,
        share: rounded(negativeAgain / requests),
      },
      change: { option: 'freshness.negativeTtl', from: negativeTtl, to: LONGER * negativeTtl, live: true },
      gain: gainOf('calls of the origin for each request, of what was not found before', now, then),
    })
  }
  return found
}

function isWorth(requests: number, again: number, same: number): boolean {
  return again >= LEAST_CALLS && again >= LEAST_SHARE * requests && same >= NEARLY_ALL * again
}

function* askedAgain(recording: Recording, { ttl, staleWhileRevalidate, jitter }: Lifetimes): Slices<Asked> {
  const { length, from, ids, hashes, kinds, times, until } = recording
  const [UNSEEN, THERE, MISSING] = [0, 1, 2]
  const state = new Uint8Array(hashes.length)
  const ends = new Float64Array(hashes.length)
  const asked = { requests: 0, again: 0, same: 0, negativeAgain: 0, negativeSame: 0, lifetimes: 0, own: 0 }
  for (let at = 0; at < length; at += 1) {
    const id = ids[at]!
    const recorded = kinds[at]!
    const kind = kindOf(recorded)
    const negative = isNegative(recorded)
    const counts = at >= from
    const hasEnded = times[at]! >= ends[id]! - (state[id] === THERE ? staleWhileRevalidate : 0)
    if (counts && isRequest(kind)) asked.requests += 1
    if (kind === KIND.clear) state.fill(UNSEEN)
    else if (kind === KIND.delete) state[id] = UNSEEN
    else if (kind === KIND.confirmed || kind === KIND.fill) {
      if (counts && kind === KIND.confirmed) {
        asked.again += 1
        asked.same += 1
      } else if (counts && state[id] === THERE && hasEnded) asked.again += 1
      const lifetime = until[at]! - times[at]!
      if (Number.isFinite(lifetime)) {
        asked.lifetimes += 1
        const usual = ttl + staleWhileRevalidate
        if (lifetime <= usual && lifetime >= 0.9 * (usual - jitter * ttl)) asked.own += 1
      }
    } else if (kind === KIND.miss && state[id] === MISSING && hasEnded && counts) {
      asked.negativeAgain += 1
      if (negative) asked.negativeSame += 1
    }
    const tells = kind !== KIND.miss || negative
    if (tells && kind < KIND.delete) {
      state[id] = negative ? MISSING : THERE
      ends[id] = until[at]!
    } else if (kind === KIND.confirmed) ends[id] = until[at]!
    if (at % SLICE === SLICE - 1) yield
  }
  return asked
}

/** Calls of origins for each request, of entries that were there and ended, if everything lived `longer` times as long and nothing were evicted. */
function* callsWith(
  recording: Recording,
  { staleWhileRevalidate, negativeTtl }: Lifetimes,
  longer: number,
  negatives: boolean,
): Slices<number> {
  const { length, from, ids, hashes, kinds, times, until } = recording
  /** By key, in milliseconds; 0 of what was not seen yet, or is of the other kind. */
  const lifetimes = new Float64Array(hashes.length)
  const ends = new Float64Array(hashes.length)
  let [requests, calls] = [0, 0]
  for (let at = 0; at < length; at += 1) {
    const id = ids[at]!
    const recorded = kinds[at]!
    const kind = kindOf(recorded)
    const now = times[at]!
    if (kind === KIND.clear) lifetimes.fill(0)
    else if (kind === KIND.delete) lifetimes[id] = 0
    else if (isRequest(kind)) {
      if (at >= from) requests += 1
      if (lifetimes[id]! > 0) {
        if (now >= ends[id]!) {
          if (at >= from) calls += 1
          ends[id] = now + lifetimes[id]!
        }
      } else if (kind !== KIND.joined && isNegative(recorded) === negatives) {
        const left = until[at]! - now - (negatives ? 0 : staleWhileRevalidate)
        const whole = negatives ? negativeTtl : left
        const isKnown = kind === KIND.miss && left > 0 && Number.isFinite(left)
        if (isKnown) {
          lifetimes[id] = whole * longer
          ends[id] = now + lifetimes[id]!
        }
      }
    }
    if (at % SLICE === SLICE - 1) yield
  }
  return requests === 0 ? 0 : calls / requests
}
