import type { Outcome } from './answer.js'

/** What a cache counts. Plain numbers: reading them costs the one who asks. */
export class Counters {
  hits = 0
  misses = 0
  joined = 0
  revalidated = 0
  stale = 0
  negative = 0
  fills = 0
  retries = 0
  leaks = 0
  lateLookups = 0
  readonly notStored: Record<string, number> = {}

  answered(outcome: Outcome, negative: boolean): void {
    if (negative) this.negative += 1
    switch (outcome) {
      case 'hit':
        this.hits += 1
        return
      case 'miss':
        this.misses += 1
        return
      case 'joined':
        this.joined += 1
        return
      case 'revalidated':
        this.revalidated += 1
        return
      case 'stale':
        this.stale += 1
    }
  }

  refused(reason: string): void {
    this.notStored[reason] = (this.notStored[reason] ?? 0) + 1
  }
}
