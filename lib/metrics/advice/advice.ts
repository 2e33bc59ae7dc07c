/** What a recommendation is about. */
export type AdviceId = 'policy' | 'memory' | 'disk' | 'compression' | 'ttl' | 'pool-classes' | 'configuration'

/** Something that would do better if it were otherwise. */
export interface Recommendation {
  readonly id: AdviceId
  /** `warning`: options that contradict each other, or the machine: whatever is asked of the cache. */
  readonly level: 'advice' | 'warning'
  /** Its name as `stats()` says it, where it is about a tier. */
  readonly tier: string | undefined
  /** What to change, and why, in a sentence. */
  readonly message: string
  /** The figures that it rests on, by name. */
  readonly evidence: Readonly<Record<string, number | string>>
  /** The option that would be another: its path, as in the event `config`, sizes in bytes and durations in milliseconds; and whether `configure` changes it. */
  readonly change:
    | { readonly option: string; readonly from: unknown; readonly to: unknown; readonly live: boolean }
    | undefined
  /** What that would make of a figure, as estimated. */
  readonly gain: { readonly figure: string; readonly now: number; readonly then: number } | undefined
}

/** What `advice()` gives. */
export interface Advice {
  /** When it was found, in epoch milliseconds. */
  readonly at: number
  /** Requests of the sample that was replayed. */
  readonly requests: number
  /** Warnings first. */
  readonly recommendations: readonly Recommendation[]
}
