import fc from 'fast-check'
import { type Command, command, commit, index, pick } from './commands.js'
import type { FlightWorld, Leading } from './flight-world.js'
import { brief, heads, keys, metadataOf, someBytes } from './values.js'

/*
 * What those who share a memory can do about flights, in any order.
 */

const asks = ({ state }: Leading): boolean => state === 'asking'
const grows = ({ state }: Leading): boolean => state === 'growing'
const notes = fc.constantFrom('', 'note', 'ñ 🐿', 'n'.repeat(3000))

/** Puts a whole value by a flight. */
function set(world: FlightWorld, led: Leading, size: number, head: Parameters<typeof metadataOf>[1]): void {
  const bytes = someBytes(size)
  const metadata = metadataOf(size, head)
  const isOver = led.flight.fenced && !led.fenced
  const stored = world.calling(() => led.flight.set(bytes, metadata))
  if (stored === true && (led.fenced || isOver))
    throw new Error(`a fill of ${brief(led.key)} is kept after a change`)
  if (stored === 'fenced' && !led.fenced) throw new Error(`a fill of ${brief(led.key)} is fenced`)
  if (stored === false && !led.fenced && size <= world.maxItemBytes) world.refused(`a fill of ${size} bytes`)
  if (stored !== true) return
  world.keep(led.key, bytes, metadata)
  world.committed(led)
}

/** Confirms what was opened, by a flight. */
function revise(world: FlightWorld, led: Leading, n: number, head: Parameters<typeof metadataOf>[1]): void {
  const reading = pick(
    world.readings.filter(({ known }) => known.key === led.key),
    n,
  )
  if (reading === undefined) return
  const { known, entry } = reading
  const metadata = { ...metadataOf(known.bytes.length, head), negative: known.metadata.negative }
  const revised = world.calling(() => led.flight.revise(entry, metadata))
  if (revised !== true) return
  if (led.fenced) throw new Error(`a fill of ${brief(led.key)} confirms after a change`)
  if (world.known.get(led.key) !== known) throw new Error(`confirmed ${brief(led.key)}, which is another`)
  known.metadata = metadata
  world.committed(led)
}

export function flightCommands(sizes: fc.Arbitrary<number>): fc.Arbitrary<Command<FlightWorld>>[] {
  const of = <T extends unknown[]>(
    name: string,
    args: fc.Arbitrary<T>,
    run: (world: FlightWorld, ...args: T) => unknown,
  ): fc.Arbitrary<Command<FlightWorld>> =>
    args.map((values) =>
      command(`${name}(${values.map(brief).join(', ')})`, (world: FlightWorld) => run(world, ...values)),
    )
  /** A command about a flight that somebody leads: one that it suits, if there is such a one. */
  const led = <T extends unknown[]>(
    name: string,
    suits: (led: Leading) => boolean,
    args: fc.Arbitrary<T>,
    run: (world: FlightWorld, led: Leading, ...args: T) => unknown,
  ): fc.Arbitrary<Command<FlightWorld>> =>
    of(`led.${name}`, fc.tuple(index, args), (world, n, values) => {
      const target = pick(world.leading.filter(suits), n) ?? pick(world.leading, n)
      if (target === undefined) return undefined
      run(world, target, ...values)
      return target.key
    })
  const claiming = of(
    'claim',
    fc.tuple(index, keys, fc.boolean(), fc.nat(5)),
    (world, at, key, sees, alone) => {
      const seen = sees ? world.readings.find(({ known }) => known.key === key)?.known : undefined
      world.claim(at, key, seen, alone === 0)
      return key
    },
  )
  const news = of('news', fc.tuple(), (world) => world.news())
  const writing = led('write', grows, fc.tuple(sizes), (world, target, size) => {
    const { writing, grown } = target
    if (writing === undefined || !writing.open) return
    const bytes = someBytes(size)
    if (!world.calling(() => writing.draft.write(bytes))) return
    writing.bytes = Buffer.concat([writing.bytes, bytes])
    if (grown && size > 0) world.tell(target)
  })
  return [
    claiming,
    claiming,
    claiming,
    led(
      'draft',
      ({ writing }) => writing === undefined,
      fc.tuple(fc.option(sizes, { nil: undefined })),
      (world, target, size) => world.begin(target, size),
    ),
    led('grow', asks, fc.tuple(notes), (world, target, note) => world.grow(target, note)),
    writing,
    writing,
    writing,
    led(
      'commit',
      ({ writing }) => writing?.open === true,
      fc.tuple(heads),
      (world, target, head) => {
        if (target.writing === undefined || !target.writing.open) return
        if (commit(world, target.writing, head)) world.committed(target)
      },
    ),
    led('set', asks, fc.tuple(sizes, heads), set),
    led('revise', asks, fc.tuple(index, heads), revise),
    led('atEnd', grows, fc.tuple(notes), (world, target, note) => {
      world.calling(() => target.flight.atEnd(note))
      if (!target.flight.fenced || target.fenced) target.atEnd = note
    }),
    led('end', asks, fc.tuple(notes), (world, target, note) => world.end(target, note)),
    of('leave', fc.tuple(index, fc.boolean()), (world, n, wanted) => {
      const target = pick(world.following, n)
      if (target !== undefined) world.leave(target, wanted)
    }),
    news,
    news,
    news,
  ]
}
