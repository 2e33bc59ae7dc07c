/** What a recommendation is about. */
export type AdviceId = 'policy' | 'memory' | 'disk' | 'compression' | 'ttl' | 'pool-classes' | 'configuration'

/** Something that would make a cache better, and why. */
export interface Recommendation {
  readonly id: AdviceId
  /** `warning`: a misconfiguration. */
  readonly level: 'advice' | 'warning'
  /** The name as in `cache.stats()`, where it is about one. */
  readonly tier: string | undefined
  /** A sentence that says what to change and why. */
  readonly message: string
  /** The figures it rests on, by name. */
  readonly evidence: Readonly<Record<string, number | string>>
  readonly change:
    | { readonly option: string; readonly from: unknown; readonly to: unknown; readonly live: boolean }
    | undefined
  /** As estimated. */
  readonly gain: { readonly figure: string; readonly now: number; readonly then: number } | undefined
}

/** What `cache.advice()` gives. */
export interface Advice {
  /** Epoch milliseconds. */
  readonly at: number
  /** Of the sample. */
  readonly requests: number
  readonly recommendations: readonly Recommendation[]
}
