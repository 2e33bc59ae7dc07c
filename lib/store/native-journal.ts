import { TAG_NUMBERS, TAGS } from '../native/numbers.js'
import type { Later, TagFloor, TagJournal } from './store.js'

/** What a native journal asks of the addon, for its store. */
export interface JournalCalls {
  /** Does nothing when the store is not open: what was read last holds. */
  numbers(out: Float64Array): void
  since(version: number): Array<string | number>
  add(tags: string, floors: Float64Array, sequence: number, fresh: boolean): Later<void>
}

/** The journal of a store in C++, which all threads that have it open share. */
export class NativeJournal implements TagJournal {
  readonly #calls: JournalCalls
  readonly #numbers = new Float64Array(TAG_NUMBERS)

  constructor(calls: JournalCalls) {
    this.#calls = calls
  }

  get version(): number {
    return this.#read(TAGS.version)
  }

  get sequence(): number {
    return this.#read(TAGS.sequence)
  }

  get latest(): number {
    return this.#read(TAGS.latest)
  }

  since(version: number): TagFloor[] {
    const list = this.#calls.since(version)
    const floors: TagFloor[] = []
    for (let at = 0; at < list.length; at += 4) {
      const [tag, hard, soft, when] = list.slice(at, at + 4) as [string, number, number, number]
      floors.push({ tag, hard, soft, at: when })
    }
    return floors
  }

  invalidate(tags: readonly string[], soft: boolean, at: number, least: number): Later<void> {
    const numbers = new Float64Array(tags.length * 3)
    for (let index = 0; index < tags.length; index += 1) numbers.set(soft ? [0, 1, at] : [1, 0, 0], index * 3)
    return this.#calls.add(tags.join('\n'), numbers, least, true)
  }

  join(floors: readonly TagFloor[], sequence: number): Later<void> {
    const numbers = Float64Array.from(floors.flatMap(({ hard, soft, at }) => [hard, soft, at]))
    return this.#calls.add(floors.map(({ tag }) => tag).join('\n'), numbers, sequence, false)
  }

  #read(at: number): number {
    this.#calls.numbers(this.#numbers)
    return this.#numbers[at]!
  }
}
