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
    for (const [index, journal] of this.#journals.entries()) {
      const { version } = journal
      if (version === this.#seen[index]) continue
      const { latest } = journal
      this.#floors.join(journal.since(this.#seen[index]!), latest)
      this.#seen[index] = version
    }
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
    const above = Math.max(least, this.latest)
    await settledAll(this.#journals.map((journal) => journal.invalidate(tags, soft, at, above)))
    await this.#level()
  }

  async join(floors: readonly TagFloor[], sequence: number): Promise<void> {
    await settledAll(this.#journals.map((journal) => journal.join(floors, sequence)))
  }

  /** To be called once all are open: those that were not used together before learn from each other. */
  async meet(): Promise<void> {
    const all = this.#journals.flatMap((journal) => [...journal.since(0)])
    const { latest } = this
    await settledAll(
      this.#journals.map((journal) => {
        const own = new TagFloors()
        own.join(journal.since(0), journal.latest)
        const { version } = own
        own.join(all, latest)
        const missing = own.since(version)
        return missing.length === 0 && journal.latest === latest ? undefined : journal.join(missing, latest)
      }),
    )
  }

  /** Another thread may have come between in some of them. */
  async #level(): Promise<void> {
    const { latest } = this
    await settledAll(
      this.#journals.map((journal) => (journal.latest < latest ? journal.join([], latest) : undefined)),
    )
  }
}

/** Waits for all, then fails as the first that did. */
async function settledAll(all: ReadonlyArray<Later<void>>): Promise<void> {
  const failed = (await Promise.allSettled(all)).find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}
