import type { Later, Store, TagFloor, TagJournal } from '../store.js'
import { TagFloors } from '../tag-floors.js'

/** What was invalidated by tag, where there is a tier whose entries others may find; undefined also where one of those has no journal. */
export function journalOf(stores: readonly Store[]): TagJournal | undefined {
  const journals: TagJournal[] = []
  for (const { journal, outlives } of stores) {
    if (journal !== undefined) journals.push(journal)
    else if (outlives === true) return undefined
  }
  return journals.length > 1 ? new JoinedJournal(journals) : journals[0]
}

/**
 * The journals of several tiers as one. An entry goes from tier to tier with the number that it carries, so that number has to mean the same in
 * all of them: each journal has every floor, and numbers that grow together.
 *
 * Invariants: `#floors` has what all of them have, up to `#seen`. `sequence` is kept by each of them, so whoever opens one of the tiers without
 * the others finds there whatever its entries need to be judged by.
 */
export class JoinedJournal implements TagJournal {
  readonly #journals: readonly TagJournal[]
  readonly #floors = new TagFloors()
  readonly #seen: number[]

  constructor(journals: readonly TagJournal[]) {
    this.#journals = journals
    this.#seen = journals.map(() => 0)
  }

  get version(): number {
    void this.#learn()?.catch(heldHere)
    return this.#floors.version
  }

  get sequence(): number {
    return Math.min(...this.#journals.map(({ sequence }) => sequence))
  }

  get latest(): number {
    return Math.max(...this.#journals.map(({ latest }) => latest))
  }

  since(version: number): readonly TagFloor[] {
    return this.#floors.since(version)
  }

  async invalidate(tags: readonly string[], soft: boolean, at: number, least: number): Promise<void> {
    const learned = this.#learn()
    const above = Math.max(least, this.latest)
    await settledAll([learned, ...this.#journals.map((journal) => journal.invalidate(tags, soft, at, above))])
    // Another thread may have come between in some of them.
    await this.#learn()
  }

  async join(floors: readonly TagFloor[], sequence: number): Promise<void> {
    await settledAll(this.#journals.map((journal) => journal.join(floors, sequence)))
  }

  /** To be called once all are open: those that were not used together before learn from each other. */
  async meet(): Promise<void> {
    await this.#learn()
  }

  /**
   * What any of them has learned, all learn: who told one of them may not have had the others. Undefined when they know the same already;
   * else it resolves when that is kept.
   */
  #learn(): Promise<void> | undefined {
    if (this.#journals.every(({ version }, index) => version === this.#seen[index])) return undefined
    const news = this.#journals.map((journal, index): readonly TagFloor[] => {
      const { version } = journal
      if (version === this.#seen[index]) return []
      const changed = journal.since(this.#seen[index]!)
      this.#seen[index] = version
      return changed.filter((floor) => this.#isNew(floor))
    })
    const { latest } = this
    const all = news.flat()
    if (all.length > 0 || latest > this.#floors.sequence) this.#floors.join(all, latest)
    const told = this.#journals.flatMap((journal, index) => {
      const own = new TagFloors()
      own.join(news[index]!, 0)
      const { version } = own
      own.join(all, 0)
      const missing = own.since(version)
      return missing.length === 0 && journal.latest >= latest ? [] : [journal.join(missing, latest)]
    })
    return told.length === 0 ? undefined : settledAll(told)
  }

  #isNew({ tag, hard, soft }: TagFloor): boolean {
    const { base } = this.#floors
    const known = tag === '' ? base : (this.#floors.of(tag) ?? base)
    return hard > known.hard || soft > known.soft
  }
}

/** Waits for all, then fails as the first that did. */
async function settledAll(all: ReadonlyArray<Later<void>>): Promise<void> {
  const failed = (await Promise.allSettled(all)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

/** What cannot be kept now holds here, nothing counts as younger than it, and it goes with the next that can. */
export const heldHere = (): undefined => undefined
