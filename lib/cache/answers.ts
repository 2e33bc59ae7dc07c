import type { Trace } from '../metrics/advice/trace.js'
import type { Metadata, StoredEntry } from '../store/store.js'
import type { Answer, Outcome } from './answer.js'
import type { Counters } from './counters.js'
import { FoundAnswer, type FoundContext, type Provenance } from './found.js'
import { matchesEtag } from './metadata.js'
import { type BodyReader, EntryReader } from './reader.js'
import type { Tier } from './tier.js'

/** What of a call's options concerns its answer. */
export interface AnswerOptions {
  readonly ifNoneMatch?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Makes and counts the answers of a cache. */
export class Answers {
  readonly #tier: Tier
  readonly #counters: Counters
  readonly #found: FoundContext
  readonly #trace: Trace | undefined

  constructor(tier: Tier, counters: Counters, found: FoundContext, trace: Trace | undefined) {
    this.#tier = tier
    this.#counters = counters
    this.#found = found
    this.#trace = trace
  }

  /** The answer that `entry` is, which it releases. */
  fromEntry(
    key: string,
    entry: StoredEntry,
    metadata: Metadata,
    outcome: Outcome,
    options: AnswerOptions,
  ): Answer {
    const name = entry.tier ?? this.#tier.store.name
    if (metadata.negative) {
      this.#tier.release(entry)
      return this.notFound(key, metadata, outcome, name)
    }
    const from = { metadata, tier: name, stored: name }
    return this.fromReader(key, new EntryReader(key, entry, this.#tier), outcome, from, options)
  }

  /** The answer that `reader` reads, which it releases. */
  fromReader(
    key: string,
    reader: BodyReader,
    outcome: Outcome,
    from: Provenance,
    { ifNoneMatch, signal }: AnswerOptions,
  ): Answer {
    this.#counters.answered(outcome, false, from.tier)
    this.#trace?.answered(key, outcome, from.metadata, this.#isFirst(from.tier))
    if (ifNoneMatch !== undefined && matchesEtag(ifNoneMatch, from.metadata.etag)) {
      // This caller has what it wanted; the fill, if any, goes on for those who come later.
      reader.satisfied()
      const meta = from.metadata
      reader.release()
      return { status: 'not-modified', key, outcome, meta }
    }
    return new FoundAnswer(key, outcome, reader, from, this.#found, signal)
  }

  /** @param tier the one that says so; undefined when the origin does */
  notFound(key: string, meta: Metadata, outcome: Outcome, tier?: string): Answer {
    this.#counters.answered(outcome, true, tier)
    this.#trace?.answered(key, outcome, meta, this.#isFirst(tier))
    return { status: 'not-found', key, outcome, meta }
  }

  /** Whether a tier, by its name, is the first one, which the store is called by. */
  #isFirst(tier: string | undefined): boolean {
    return tier === this.#tier.store.name
  }
}
