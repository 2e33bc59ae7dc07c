import fc from 'fast-check'
import { POLICY_NAMES, type PolicyName } from '../../../lib/policy/policy.js'
import type { Metadata } from '../../../lib/store/store.js'
import type { Making } from './engines.js'
import { brief, heads, keys, metadataOf, sameMetadata, someBytes } from './values.js'
import { type MemoryWorld, now, readAll, type Writing } from './world.js'

/*
 * What can be done to the stores of a world, in any order.
 */

export type Command<W> = fc.AsyncCommand<object, W>

/** How many entries are open, and drafts held, at a time: each is compared after every step. */
const MOST_OPEN = 5

/** A command; `run` says the key that it was about, if any. */
export function command<W extends MemoryWorld>(name: string, run: (world: W) => unknown): Command<W> {
  return {
    check: () => true,
    run: async (_, world) => {
      const key = await run(world)
      world.check(typeof key === 'string' ? key : undefined)
    },
    toString: () => name,
  }
}

/** The element that `at` picks. */
export function pick<T>(list: readonly T[], at: number): T | undefined {
  return list.length === 0 ? undefined : list[at % list.length]
}

export function take<T>(list: T[], at: number): T | undefined {
  return list.length === 0 ? undefined : list.splice(at % list.length, 1)[0]
}

/** Sets a key in one call where the store has one, else by a draft. */
function set(world: MemoryWorld, at: number, key: string, bytes: Buffer, head: Partial<Metadata>): boolean {
  const store = world.share(at)
  const metadata = metadataOf(bytes.length, head)
  let stored: boolean
  if (store.set !== undefined) {
    stored = store.set(key, bytes, metadata)
  } else {
    const draft = now(store.draft(key, bytes.length))
    stored = draft !== undefined && now(draft.write(bytes)) && now(draft.commit(metadata))
    draft?.abort()
  }
  if (stored) world.keep(key, bytes, metadata)
  else if (bytes.length <= world.maxItemBytes) world.refused(`set of ${bytes.length} bytes`)
  // Now, for of several sets in one step each may have taken the key of another away.
  world.hear(key)
  if (stored && bytes.length > world.maxItemBytes) throw new Error(`kept ${bytes.length} bytes`)
  return stored
}

function begin(world: MemoryWorld, at: number, key: string, size: number | undefined): void {
  const draft = now(world.share(at).draft(key, size))
  if (draft === undefined) {
    if ((size ?? 0) <= world.maxItemBytes) world.refused(`a draft of ${size} bytes`)
    return
  }
  const bytes = Buffer.alloc(0)
  world.writings.push({ key, draft, flight: undefined, bytes, open: true, fenced: false, holds: 0 })
}

function write(world: MemoryWorld, writing: Writing, bytes: Buffer): void {
  const whole = Buffer.concat([writing.bytes, bytes])
  const taken = now(writing.draft.write(bytes))
  if (taken && !writing.open) throw new Error('a draft that has ended took bytes')
  if (taken && whole.length > world.maxItemBytes) throw new Error(`took ${whole.length} bytes`)
  if (taken) writing.bytes = whole
  else if (writing.open && whole.length <= world.maxItemBytes) world.refused(`write of ${bytes.length} bytes`)
  if (!writing.open && writing.holds === 0) return
  const growing = writing.draft.growing!
  if (!readAll(growing, writing.bytes.length).equals(writing.bytes)) throw new Error('a draft reads wrong')
}

/** Commits; says whether it was. What that does to others under the same key is `committed`'s. */
export function commit(world: MemoryWorld, writing: Writing, head: Partial<Metadata>): boolean {
  const { draft, key, bytes } = writing
  const metadata = metadataOf(bytes.length, head)
  const done = now(draft.commit(metadata))
  const fences = draft.fenced !== undefined
  if (done && !writing.open) throw new Error('a draft that has ended was committed')
  if (done && fences && writing.fenced)
    throw new Error(`a draft of ${brief(key)} was committed after a change`)
  if (writing.open && !done && (draft.fenced ?? false) !== (fences && writing.fenced)) {
    throw new Error(`a draft of ${brief(key)} is fenced: ${draft.fenced}`)
  }
  if (done) world.keep(key, bytes, metadata)
  else if (writing.open && !writing.fenced) world.refused(`a commit of ${bytes.length} bytes`)
  writing.open = false
  return done
}

/** Opens an entry, and has some of it lent. */
function open(world: MemoryWorld, at: number, key: string, peek: boolean, position: number): void {
  const found = world.find(key, peek, at)
  if (found === undefined) return
  const { entry, known } = found
  const { metadata } = known
  const reading = { entry, known, metadata, lent: [] }
  for (const from of [0, position % (known.bytes.length + 1)]) {
    world.lend(reading.lent, entry.view!(from), known.bytes, from)
  }
  world.readings.push(reading)
  if (world.readings.length > MOST_OPEN) release(world, 0)
}

function release(world: MemoryWorld, at: number): void {
  const reading = take(world.readings, at)
  if (reading === undefined) return
  const { entry, known, metadata } = reading
  if (!readAll(entry, known.bytes.length).equals(known.bytes)) throw new Error('what is open reads wrong')
  if (!sameMetadata(entry.metadata, metadata)) {
    throw new Error('the metadata of what is open has changed')
  }
  entry.release()
  entry.release()
}

/** Revises what was opened; says whether it was. */
function revise(world: MemoryWorld, at: number, n: number, head: Partial<Metadata>): string | undefined {
  const reading = pick(world.readings, n)
  if (reading === undefined) return undefined
  const { known, entry } = reading
  const { key } = known
  const metadata = { ...metadataOf(known.bytes.length, head), negative: known.metadata.negative }
  const revised = now(world.share(at).revise(key, entry, metadata))
  if (revised && world.known.get(key) !== known) throw new Error(`revised ${brief(key)}, which is another`)
  if (revised) known.metadata = metadata
  return key
}

/** Opens an entry, puts another in its place, and tries to revise what is not there any more; says whether it was put. */
function supersede(world: MemoryWorld, at: number, key: string, size: number): boolean {
  const found = world.find(key, false, at)
  if (found === undefined) return false
  const { entry, known } = found
  const stored = set(world, at + 1, key, someBytes(size), {})
  const revised = now(world.share(at).revise(key, entry, known.metadata))
  if (revised && world.known.get(key) !== known) throw new Error(`revised ${brief(key)}, which is another`)
  entry.release()
  return stored
}

/** Many small entries, so that tables grow, buckets fill, and what is not there has neighbours. */
function crowd(world: MemoryWorld, at: number, from: number, count: number): void {
  for (let n = from; n < from + count; n += 1) set(world, at, `crowd ${n}`, someBytes(n % 90), {})
  for (let n = from; n < from + count; n += 1) {
    const key = `stranger ${n}`
    if (now(world.share(at).find(key)) !== undefined) throw new Error(`${key} was never set, and is there`)
    if (now(world.share(at).delete(key))) throw new Error(`${key} was never set, and was deleted`)
  }
}

/** Enough of one size that others have to leave; keys of their own, some of which are there already. */
function press(world: MemoryWorld, at: number, from: number, size: number): void {
  const bytes = Math.floor(Math.min(Math.max(size, world.maxBytes / 500), world.maxItemBytes / 2))
  const wanted = world.ample ? 10 : Math.ceil(world.maxBytes / 2 / bytes)
  for (let n = from; n < from + Math.min(wanted, 250); n += 1) {
    set(world, at, `press ${n % 500}`, someBytes(bytes + (n % 7) * 100), {})
  }
}

function configure(world: MemoryWorld, at: number, making: Making): void {
  world.share(at).configure(making).apply()
  world.maxBytes = making.maxBytes
  world.maxItemBytes = making.maxItemBytes
}

function remove(world: MemoryWorld, at: number, key: string): void {
  const there = world.known.has(key)
  const found = world.find(key, true)
  found?.entry.release()
  const deleted = now(world.share(at).delete(key))
  if (deleted !== (found !== undefined)) throw new Error(`delete of ${brief(key)} says ${deleted}`)
  if (there) world.known.delete(key)
  world.fence(key)
}

export const index = fc.nat({ max: 20 })
const position = fc.nat({ max: 2 ** 23 })

/** What may be done to a memory of at most `most` bytes. */
export function memoryCommands<W extends MemoryWorld>(
  sizes: fc.Arbitrary<number>,
  bounds: fc.Arbitrary<Making>,
  committed: (world: W, writing: Writing) => void,
  wrote: (world: W, key: string) => void,
): fc.Arbitrary<Command<W>>[] {
  const of = <T extends unknown[]>(
    name: string,
    args: fc.Arbitrary<T>,
    run: (world: W, ...args: T) => unknown,
  ): fc.Arbitrary<Command<W>> =>
    args.map((values) =>
      command<W>(`${name}(${values.map(brief).join(', ')})`, (world) => run(world, ...values)),
    )
  const setting = of('set', fc.tuple(index, keys, sizes, heads), (world, at, key, size, head) => {
    if (set(world, at, key, someBytes(size), head)) wrote(world, key)
    return key
  })
  const finding = of('find', fc.tuple(index, keys, fc.boolean(), position), (world, at, key, peek, from) =>
    open(world, at, key, peek, from),
  )
  const pressing = of('press', fc.tuple(index, fc.nat(500), sizes), press)
  const writing = of('write', fc.tuple(index, sizes), (world, n, size) => {
    const target = pick(world.writings, n)
    if (target !== undefined) write(world, target, someBytes(size))
  })
  return [
    setting,
    setting,
    finding,
    finding,
    of('begin', fc.tuple(index, keys, fc.option(sizes, { nil: undefined })), begin),
    writing,
    writing,
    of('commit', fc.tuple(index, heads), (world, n, head) => {
      const target = pick(world.writings, n)
      if (target === undefined) return undefined
      const done = commit(world, target, head)
      if (done) committed(world, target)
      forget(world)
      return target.key
    }),
    of('abort', fc.tuple(index), (world, n) => {
      const target = pick(world.writings, n)
      target?.draft.abort()
      if (target !== undefined) target.open = false
      forget(world)
    }),
    of('hold', fc.tuple(index), (world, n) => {
      const target = pick(world.writings, n)
      if (target === undefined || !target.open) return
      const letGo = target.draft.growing!.hold()
      target.holds += 1
      world.holdings.push({ writing: target, letGo, lent: [] })
      if (world.holdings.length > MOST_OPEN) giveBack(world, 0)
    }),
    of('lend', fc.tuple(index, position), (world, n, from) => {
      const holding = pick(world.holdings, n)
      if (holding === undefined || holding.lent.length > MOST_OPEN) return
      const { bytes, draft } = holding.writing
      const at = from % (bytes.length + 1)
      world.lend(holding.lent, draft.growing!.view(at), bytes, at)
    }),
    of('letGo', fc.tuple(index), giveBack),
    of('release', fc.tuple(index), release),
    of('revise', fc.tuple(index, index, heads), revise),
    of('supersede', fc.tuple(index, keys, sizes), (world, at, key, size) => {
      if (supersede(world, at, key, size)) wrote(world, key)
      return key
    }),
    of('delete', fc.tuple(index, keys), remove),
    of('crowd', fc.tuple(index, fc.nat(2000), fc.nat(400)), crowd),
    pressing,
    pressing,
    pressing,
    of('configure', fc.tuple(index, bounds), configure),
    of('advance', fc.tuple(fc.constantFrom(1, 900, 15_000)), (world, ms) => world.clock.advance(ms)),
    of('maintain', fc.tuple(index), (world, at) => {
      // What the native engine does on a timer, and the other has no need of.
      const store = world.share(at) as { maintain?: () => void }
      store.maintain?.()
      store.maintain?.()
    }),
  ]
}

/** Once in a while only: it takes from the others what they work on. */
export function clearing<W extends MemoryWorld>(): fc.Arbitrary<Command<W>> {
  return index.map((at) =>
    command<W>(`clear(${at})`, (world) => {
      now(world.share(at).clear())
      world.known.clear()
      world.fence(undefined)
      return undefined
    }),
  )
}

export function policies(): fc.Arbitrary<PolicyName> {
  return fc.constantFrom(...POLICY_NAMES)
}

function giveBack(world: MemoryWorld, at: number): void {
  const holding = take(world.holdings, at)
  if (holding === undefined) return
  const { writing, letGo } = holding
  const { bytes, draft } = writing
  if (!readAll(draft.growing!, bytes.length).equals(bytes)) throw new Error('what is held reads wrong')
  letGo()
  letGo()
  writing.holds -= 1
  forget(world)
}

/** Drafts that have ended and are not held are nobody's any more, but for one that is tried again. */
function forget(world: MemoryWorld): void {
  const over = world.writings.filter(({ open, holds }) => !open && holds === 0)
  for (const writing of over.slice(0, -1)) world.writings.splice(world.writings.indexOf(writing), 1)
}
