/*
 * What clients did to a cache, as intervals on one line of time, and whether what they saw can be. Each key is a register that may forget: an answer
 * is a miss, or the last value that was written, or one whose writing overlaps with the last. It is the check that CacheLib calls a value history.
 *
 * A value is out of date for a question when there was a change of its key that began after the value was written, and of which somebody knew, before
 * the question was asked, that it had been done: it had returned, or had been seen. A value that was fetched is older than all that began
 * after its fetching did.
 */

/** A value that was written, or that an origin gave; no two are the same. */
export interface Value {
  readonly id: number
  readonly key: string
  /** `'fill'`: an origin gave it. */
  readonly kind: 'set' | 'fill'
  readonly start: number
  /** When nothing could become of the writing any more: `Infinity` where that is not known, and of fills. */
  end: number
  /** The writing was acknowledged. */
  done: boolean
  /** It was refused, or broke off: nobody may see it. */
  failed?: boolean
  /** What was acknowledged is on a disk. */
  readonly durable?: boolean
  readonly tags?: readonly string[]
  /** When its origin was last asked whether it is still right, and said so. */
  confirmed?: number
  /** Those that were to be set with it, or none of them. */
  readonly batch?: Batch
}

/** What was set as one. */
export interface Batch {
  readonly keys: readonly string[]
  readonly start: number
}

/** A whole value was given to somebody. */
export interface Read {
  readonly key: string
  readonly value: number
  readonly start: number
  readonly end: number
  /** A tier had it: whoever asks from then on may see nothing older. What an origin sends may not have been kept. */
  readonly stored: boolean
  /** It answered by itself. */
  readonly fresh?: boolean
  /** Answers to one question, which are of one moment, have the same. */
  readonly group?: number
}

/** Entries were removed, and that was acknowledged. */
export interface Removal {
  /** Undefined: all. */
  readonly key?: string | undefined
  /** Those alone that have one of these. */
  readonly tags?: readonly string[]
  /** They are not removed, but do not answer by themselves any more. */
  readonly soft?: boolean
  readonly start: number
  readonly end: number
}

export interface Events {
  readonly values: Iterable<Value>
  readonly reads: readonly Read[]
  readonly removals: readonly Removal[]
  /** When the process died, in order: of what was done before, what was removed stays so, and what is durable is there, or something newer. */
  readonly kills?: readonly number[]
  /**
   * Calls take effect in the order in which they were made, as those of one thread do: a removal beats each write that was called for
   * before it, though that may have taken longer. Default true.
   */
  readonly ordered?: boolean
}

/** What is wrong with a history; empty when nothing is. */
export function violations(events: Events): string[] {
  const { reads, removals, kills = [], ordered = true } = events
  const values = new Map<number, Value>()
  for (const value of events.values) values.set(value.id, value)
  const wrong: string[] = []
  const known = reads.filter((read) => {
    const value = values.get(read.value)
    const say = `${read.key}: ${read.value} was read at ${read.start}-${read.end}`
    if (value === undefined) wrong.push(`${say}, and was never written`)
    else if (value.key !== read.key) wrong.push(`${say}, and is of ${value.key}`)
    else if (value.failed === true) wrong.push(`${say}, and had failed`)
    else if (value.start > read.end) wrong.push(`${say}, before it was written at ${value.start}`)
    else return true
    return false
  })

  const changes = new Changes(kills)
  for (const value of values.values()) {
    if (value.kind === 'set' && value.done && value.failed !== true) {
      changes.add(value.key, 'write', value.end, value.start, value.durable === true)
    }
  }
  for (const { key, tags, start, end } of removals) {
    if (tags === undefined) changes.add(key, ordered ? 'removal' : 'write', end, start, true)
  }
  for (const read of known) {
    const value = values.get(read.value)!
    // A fill that was joined may not be kept, and a write is seen only once it is done.
    if (value.kind === 'fill' && !read.stored) continue
    for (const key of value.batch?.keys ?? [value.key]) {
      changes.add(key, 'write', read.end, value.start, false)
      // What is there after a death was there right after it.
      for (const at of kills) {
        if (at > value.start && at < read.start) changes.add(key, 'write', at, value.start, false)
      }
    }
  }
  changes.sort()

  for (const read of known) {
    const value = values.get(read.value)!
    const say = `${read.key}: ${read.value} was read at ${read.start}-${read.end}`
    const replaced = changes.latest(read.key, 'write', read.start)
    if (replaced > oldOf(value)) {
      wrong.push(`${say}, though newer was there, of ${replaced}, after it was written until ${oldOf(value)}`)
    }
    const removed = changes.latest(read.key, 'removal', read.start)
    if (removed > value.start) wrong.push(`${say}, though it was removed, at ${removed}`)
    for (const { tags, soft, start, end } of removals) {
      if (tags === undefined || end >= read.start || !tags.some((tag) => value.tags?.includes(tag))) continue
      if (soft !== true && start > value.start)
        wrong.push(`${say}, though its tag was invalidated at ${start}`)
      if (soft === true && read.fresh === true && start > (value.confirmed ?? value.start)) {
        wrong.push(`${say} as fresh, though its tag was made stale at ${start}`)
      }
    }
  }
  return [...wrong, ...mixed(known, values)]
}

/** What was done to `key` before `time`, in order and at last, for who wants to know how it came to what is wrong. */
export function story({ values, reads, removals, kills = [] }: Events, key: string, time: number): string {
  const lines: Array<readonly [time: number, line: string]> = kills.map((at) => [at, 'death'])
  for (const { id, key: of, kind, start, end, done, failed, tags, batch, confirmed } of values) {
    if (of !== key) continue
    const more = { done, failed, tags, confirmed, batch: batch?.keys.join('+') }
    lines.push([start, `${kind} ${id} until ${end} ${JSON.stringify(more)}`])
  }
  for (const { key: of, value, start, end, ...more } of reads) {
    if (of === key) lines.push([start, `read ${value} until ${end} ${JSON.stringify(more)}`])
  }
  for (const { key: of = key, start, end, ...more } of removals) {
    if (of === key) lines.push([start, `removal until ${end} ${JSON.stringify(more)}`])
  }
  return lines
    .filter(([start]) => start < time)
    .sort(([a], [b]) => a - b)
    .slice(-60)
    .map(([start, line]) => `${start} ${line}`)
    .join('\n')
}

/** Answers to one question of which some are of a batch, and others older than it. */
function mixed(reads: readonly Read[], values: ReadonlyMap<number, Value>): string[] {
  const wrong: string[] = []
  const groups = new Map<number, Read[]>()
  for (const read of reads) {
    if (read.group === undefined) continue
    const there = groups.get(read.group)
    if (there === undefined) groups.set(read.group, [read])
    else there.push(read)
  }
  for (const group of groups.values()) {
    for (const one of group) {
      const { batch } = values.get(one.value)!
      if (batch === undefined) continue
      for (const other of group) {
        if (!batch.keys.includes(other.key) || oldOf(values.get(other.value)!) >= batch.start) continue
        wrong.push(
          `${one.key} and ${other.key}: ${one.value} was read with ${other.value}, in place of which it was set`,
        )
      }
    }
  }
  return wrong
}

/** What began later is newer; what an origin confirmed is as old as that. */
function oldOf({ kind, start, end, confirmed = start }: Value): number {
  return Math.max(kind === 'fill' ? start : end, confirmed)
}

interface Change {
  readonly time: number
  readonly start: number
}

/** Of each key, the beginnings of changes that are known to be done, by when that was known. */
class Changes {
  readonly #kills: readonly number[]
  readonly #lists = new Map<string, Change[]>()

  constructor(kills: readonly number[]) {
    this.#kills = kills
  }

  /** Without a key: of all. */
  add(
    key: string | undefined,
    what: 'write' | 'removal',
    time: number,
    start: number,
    durable: boolean,
  ): void {
    const life = durable ? 'ever' : this.#lifeAt(time)
    const name = `${what} ${life} ${key === undefined ? 'all' : `of ${key}`}`
    const there = this.#lists.get(name)
    if (there === undefined) this.#lists.set(name, [{ time, start }])
    else there.push({ time, start })
  }

  sort(): void {
    for (const [name, list] of this.#lists) {
      let latest = Number.NEGATIVE_INFINITY
      const sorted = list.sort((a, b) => a.time - b.time)
      this.#lists.set(
        name,
        sorted.map(({ time, start }) => {
          latest = Math.max(latest, start)
          return { time, start: latest }
        }),
      )
    }
  }

  /** The latest beginning of a change of `key` that was known before `time`. */
  latest(key: string, what: 'write' | 'removal', time: number): number {
    let latest = Number.NEGATIVE_INFINITY
    for (const life of ['ever', this.#lifeAt(time)]) {
      for (const of of ['all', `of ${key}`]) {
        const list = this.#lists.get(`${what} ${life} ${of}`) ?? []
        let [low, high] = [0, list.length]
        while (low < high) {
          const middle = (low + high) >>> 1
          if (list[middle]!.time < time) low = middle + 1
          else high = middle
        }
        if (low > 0) latest = Math.max(latest, list[low - 1]!.start)
      }
    }
    return latest
  }

  /** How many deaths there were. */
  #lifeAt(time: number): number {
    let life = 0
    while (life < this.#kills.length && this.#kills[life]! <= time) life += 1
    return life
  }
}
