import { ConfigError, NoSpaceError, TooLargeError } from '../errors.js'
import { assertKey, showKey } from '../keys.js'
import type { Later, Metadata, Store, WholeValue } from '../store/store.js'
import type { BatchTurns } from './batch-turns.js'
import type { BatchEntry } from './cache.js'
import { assertSize, noRoom, type WriteContext } from './entry-writer.js'
import type { Pass } from './fence.js'
import type { InFlight } from './in-flight.js'
import { drawn, type EntryHead, metadataOf, readHead } from './metadata.js'
import { cancelBody, givenBytes, type Pieces, readBody, type Source } from './source.js'

/** One entry of a batch, read. */
interface Asked {
  readonly key: string
  readonly head: EntryHead
  readonly source: Source
}

/**
 * Sets several entries as one change: `setMany` with `atomic`.
 *
 * Each key has a pass from the beginning, as a write has, so that a delete meanwhile wins over it; all keys are fenced before the store is
 * asked, in the turn in which it is. Of a key that is given twice the last counts.
 */
export class AtomicWrites {
  readonly #context: WriteContext
  readonly #inFlight: InFlight
  readonly #turns: BatchTurns
  /** What the bodies of a batch that stream may have together. */
  maxBufferedBytes: number

  constructor(context: WriteContext, inFlight: InFlight, turns: BatchTurns, maxBufferedBytes: number) {
    this.#context = context
    this.#inFlight = inFlight
    this.#turns = turns
    this.maxBufferedBytes = maxBufferedBytes
  }

  /** Throws, too, what it rejects with. Bodies that it does not store are cancelled. */
  set(entries: readonly BatchEntry[]): Later<Metadata[]> {
    const { tier, fences, tags } = this.#context
    let asked: readonly Asked[]
    try {
      this.#context.assertOpen()
      assertAble(tier.store)
      asked = entries.map(({ key, body, ...options }) => {
        assertKey(key)
        return { key, head: readHead(options), source: readBody(key, body) }
      })
    } catch (error) {
      for (const { body } of entries) cancelBody({ body }, error as Error)
      throw error
    }
    const passes = new Map(asked.map(({ key }) => [key, fences.enter(key, 'write')]))
    const leave = (): void => {
      for (const pass of passes.values()) fences.leave(pass)
    }
    const sequence = tags.sequence
    try {
      const bodies = this.#bodies(asked)
      const set =
        bodies instanceof Promise
          ? bodies.then((all) => this.#commit(asked, all, passes, sequence))
          : this.#commit(asked, bodies, passes, sequence)
      if (set instanceof Promise) return set.finally(leave)
      leave()
      return set
    } catch (error) {
      leave()
      throw error
    }
  }

  /** The bytes of all bodies, which nobody changes until the store has them. */
  #bodies(asked: readonly Asked[]): Later<readonly Uint8Array[]> {
    const { store } = this.#context.tier
    const isNear = store.set !== undefined && store.tiers === undefined
    const streams = asked.flatMap(({ source }) => ('pieces' in source ? [source.pieces] : []))
    const bytesOf = ({ source }: Asked): Uint8Array | undefined => {
      if (!('bytes' in source)) return undefined
      return isNear && streams.length === 0 ? source.bytes : Buffer.from(source.bytes)
    }
    const whole = asked.map(bytesOf)
    if (streams.length === 0) return whole as Uint8Array[]
    const cancel = (error: Error): void => {
      for (const pieces of streams) pieces.cancel(error)
    }
    const gathered = this.#gather(asked, whole).catch((error) => {
      cancel(error)
      throw error
    })
    return this.#inFlight.wait(gathered, { use: (all) => all, onEnd: cancel })
  }

  async #gather(
    asked: readonly Asked[],
    whole: ReadonlyArray<Uint8Array | undefined>,
  ): Promise<readonly Uint8Array[]> {
    let room = this.maxBufferedBytes
    const take = (key: string, bytes: number): void => {
      room -= bytes
      if (room >= 0) return
      throw new TooLargeError(
        `setMany: the streams of a batch are gathered first, and have more than maxBufferedBytes, ${this.maxBufferedBytes}, at ${showKey(key)}; want bytes, smaller bodies, or a higher maxBufferedBytes`,
      )
    }
    return Promise.all(
      asked.map(async ({ key, source }, at) => {
        return whole[at] ?? gathered(source, (bytes) => take(key, bytes))
      }),
    )
  }

  #commit(
    asked: readonly Asked[],
    bodies: readonly Uint8Array[],
    passes: ReadonlyMap<string, Pass>,
    sequence: number,
  ): Later<Metadata[]> {
    const { tier, fences, freshness, now, onCommit } = this.#context
    this.#context.assertOpen()
    const given = asked.map(({ key, head }, at): WholeValue => {
      const bytes = bodies[at]!
      assertSize(key, head, bytes.length)
      return { key, bytes, metadata: metadataOf(head, bytes.length, drawn(freshness), now(), sequence) }
    })
    // The last of each key.
    const last = [...new Map(given.map((value) => [value.key, value])).values()]
    const answer = given.map(({ metadata }) => metadata)
    let values: readonly WholeValue[] = []
    const change = (): Later<boolean> => {
      for (const { key } of values) {
        fences.fenceFills(key)
        onCommit(key)
      }
      return tier.ask(() => tier.store.setAll!(values))
    }
    const keys = last.map(({ key }) => key)
    const set = this.#turns.write(() => {
      // What a delete overtook by now was written before it. A later one waits for the batch, which must have all of its keys until then.
      values = last.filter(({ key }) => passes.get(key)?.fenced !== true)
      // That delete must have its turn, too, before others are seen; and where it took all, before that is said.
      return tier.changeAll(keys, values.length === 0 ? nothingLeft : change)
    })
    if (!(set instanceof Promise)) return this.#done(set, values, answer)
    const stored = set.finally(() => {
      // Who looked one up meanwhile may have found the old value, and begun a fill that knows only that.
      for (const { key } of values) {
        fences.fenceLookups(key)
        onCommit(key)
      }
    })
    return this.#inFlight.wait(stored, { use: (done) => this.#done(done, values, answer) })
  }

  /** `answer`, when every tier that a write waits for has the batch. */
  #done(done: boolean, values: readonly WholeValue[], answer: Metadata[]): Later<Metadata[]> {
    const { tier } = this.#context
    if (!done) throw noRoomFor(values, tier.store)
    for (const { key, metadata } of values) this.#context.onStored(key, metadata)
    const waits = values.flatMap(({ key }) => tier.written(key) ?? [])
    if (waits.length === 0) return answer
    return this.#inFlight.wait(Promise.all(waits), { use: () => answer })
  }
}

const nothingLeft = (): true => true

/** @throws `ERR_DREY_CONFIG` */
function assertAble({ name, setAll, tiers }: Store): void {
  if (setAll !== undefined) return
  throw new ConfigError(
    `setMany: atomic: the ${tiers?.noBatches ?? name} tier cannot set several entries as one; want memory and file stores, or a store with setAll, or leave atomic out`,
  )
}

async function gathered(source: Source, take: (bytes: number) => void): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  const { pieces } = source as { readonly pieces: Pieces }
  for (;;) {
    const piece = await pieces.next()
    if (piece.done === true) return Buffer.concat(all)
    const bytes = givenBytes('setMany', piece.value)
    take(bytes.length)
    // Who made it may use its memory again.
    all.push(Buffer.from(bytes))
  }
}

function noRoomFor(values: readonly WholeValue[], store: Store): TooLargeError | NoSpaceError {
  const { maxItemBytes, name } = store
  const large = values.find(({ bytes }) => bytes.length > maxItemBytes)
  if (large !== undefined) return noRoom(large.key, large.bytes.length, store)
  const bytes = values.reduce((sum, value) => sum + value.bytes.length, 0)
  return new NoSpaceError(
    `no tier has room for ${values.length} values of ${bytes} bytes at once, the ${name} tier neither: nothing was set; want a smaller batch, or raise maxBytes (of a file store also segmentBytes)`,
  )
}
