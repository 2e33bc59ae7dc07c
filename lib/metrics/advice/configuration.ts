import { statfs } from 'node:fs/promises'
import { showDuration, showSize } from '../../config/units.js'
import type { Recommendation } from './advice.js'
import { type FileSystem, fileSystemOf } from './file-system.js'
import type { AdvisedTier } from './tiers.js'

/** So much of the memory there is may be taken by what holds memory: the rest is the program's. */
const MOST_OF_MEMORY = 0.9

/** What is looked at. */
export interface Configured {
  readonly tiers: readonly AdvisedTier[]
  readonly timeouts: {
    readonly operation: number
    readonly lookup: number | undefined
    readonly firstByte: number
    readonly fill: number
  }
  readonly freshness: { readonly ttl: number; readonly negativeTtl: number }
  /** Of the buffer pool; 0 where there is none. */
  readonly poolBytes: number
  readonly profile: string
  readonly native: { readonly loaded: boolean; readonly reason: string | undefined }
}

/** Where a test may have another machine. */
export interface Machine {
  readonly memory: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Default: Node's. */
  readonly statfs?: typeof statfs
}

/** What options ask for that the machine does not have, or that other options make of no effect. Never rejects. */
export async function configurationAdvice(of: Configured, machine: Machine): Promise<Recommendation[]> {
  const systems = await Promise.all(
    of.tiers.map(({ facts }) =>
      facts?.dir === undefined ? undefined : fileSystemOf(facts.dir, machine.statfs ?? statfs),
    ),
  )
  return [
    ...memoryThatThereIsNot(of, systems, machine),
    ...disksThatAreNot(of.tiers, systems),
    ...ordersOfTiers(of),
    ...timesOfNoEffect(of),
    ...surroundings(of, machine),
  ]
}

interface Said {
  readonly tier?: string | undefined
  readonly message: string
  readonly evidence: Recommendation['evidence']
  readonly change?: Recommendation['change']
}

function warning({ tier, message, evidence, change }: Said): Recommendation {
  return { id: 'configuration', level: 'warning', tier, message, evidence, change, gain: undefined }
}

function memoryThatThereIsNot(
  { tiers, poolBytes }: Configured,
  systems: ReadonlyArray<FileSystem | undefined>,
  { memory }: Machine,
): Recommendation[] {
  const held = tiers.map(({ facts, stats }, at) =>
    facts?.kind === 'memory' || systems[at]?.kind === 'memory' ? stats.maxBytes : 0,
  )
  const sum = held.reduce((before, bytes) => before + bytes, 0)
  const most = Math.floor(MOST_OF_MEMORY * memory)
  if (sum === 0 || sum + poolBytes <= most) return []
  const names = tiers.filter((_, at) => held[at]! > 0).map(({ name }) => name)
  return [
    warning({
      message: `what is held in memory (${names.join(', ')} and the buffer pool) may take ${showSize(sum + poolBytes)} of the ${showSize(memory)} that there are: lower maxBytes, for the program and its heap need some, too`,
      evidence: { tiers: sum, bufferPool: poolBytes, memory },
    }),
  ]
}

function disksThatAreNot(
  tiers: readonly AdvisedTier[],
  systems: ReadonlyArray<FileSystem | undefined>,
): Recommendation[] {
  return tiers.flatMap(({ name, place, stats, facts }, at) => {
    const system = systems[at]
    if (system === undefined || facts?.dir === undefined) return []
    const found: Recommendation[] = []
    const { dir, durability } = facts
    const kept = keptFree(facts.minFree ?? 0, system.total)
    const room = system.free + stats.bytes - kept
    if (stats.maxBytes > room) {
      const what =
        stats.maxBytes > system.total
          ? `the file system has ${showSize(system.total)}`
          : `${showSize(Math.max(0, room))} are free there, beside what minFree keeps so`
      found.push(
        warning({
          tier: name,
          message: `maxBytes of ${showSize(stats.maxBytes)} cannot be reached in ${dir}: ${what}; the tier stays smaller, and takes what others may need`,
          evidence: { maxBytes: stats.maxBytes, total: system.total, free: system.free, minFree: kept },
        }),
      )
    }
    if (system.kind === 'memory') {
      const power = durability === 'power'
      found.push(
        warning({
          tier: name,
          message: `${dir} lies in memory (${system.name}): ${power ? "durability 'power' cannot keep there what a restart of the machine takes" : 'what it holds is no disk, and is gone with the machine'}; want a directory on a disk`,
          evidence: { fileSystem: system.name, durability: durability ?? '' },
          change: power
            ? { option: `tiers.${place}.durability`, from: 'power', to: 'none', live: true }
            : undefined,
        }),
      )
    }
    if (system.kind === 'network') {
      found.push(
        warning({
          tier: name,
          message: `${dir} lies on another machine (${system.name}): reads wait for the network, and a lock there may not hold; want a directory on a disk of this one`,
          evidence: { fileSystem: system.name },
        }),
      )
    }
    return found
  })
}

function keptFree(minFree: number, total: number): number {
  return minFree < 1 ? minFree * total : minFree
}

function ordersOfTiers({ tiers, freshness }: Configured): Recommendation[] {
  const found: Recommendation[] = []
  for (const [at, below] of tiers.entries()) {
    // What bounds a store of somebody else's has, and of what, that one knows.
    const above = below.facts === undefined || tiers[at - 1]?.facts === undefined ? undefined : tiers[at - 1]
    if (above !== undefined && below.stats.maxBytes < above.stats.maxBytes) {
      found.push(
        warning({
          tier: below.name,
          message: `the ${below.name} tier (${showSize(below.stats.maxBytes)}) is smaller than the ${above.name} tier above it (${showSize(above.stats.maxBytes)}): it has hardly anything that is not found before`,
          evidence: { maxBytes: below.stats.maxBytes, above: above.stats.maxBytes },
        }),
      )
    }
    if (above !== undefined && below.stats.maxItemBytes < above.stats.maxItemBytes) {
      found.push(
        warning({
          tier: below.name,
          message: `the ${below.name} tier keeps values up to ${showSize(below.stats.maxItemBytes)}, and the ${above.name} tier above it up to ${showSize(above.stats.maxItemBytes)}: those between are gone when they leave it`,
          evidence: { maxItemBytes: below.stats.maxItemBytes, above: above.stats.maxItemBytes },
        }),
      )
    }
    const ttl = below.facts?.ttl
    if (ttl !== undefined && Number.isFinite(freshness.ttl) && ttl >= freshness.ttl && freshness.ttl > 0) {
      found.push(
        warning({
          tier: below.name,
          message: `a ttl of ${showDuration(ttl)} of the ${below.name} tier has no effect: entries are fresh for ${showDuration(freshness.ttl)} by freshness.ttl`,
          evidence: { ttl, 'freshness.ttl': freshness.ttl },
        }),
      )
    }
  }
  return found
}

function timesOfNoEffect({ timeouts, freshness }: Configured): Recommendation[] {
  const found: Recommendation[] = []
  const { operation, lookup, firstByte, fill } = timeouts
  const ends = (long: string, than: string, evidence: Said['evidence'], why: string): void => {
    found.push(
      warning({
        message: `timeouts.${long} never comes to its end before timeouts.${than}: ${why}`,
        evidence,
      }),
    )
  }
  if (operation >= fill) {
    ends('operation', 'fill', { operation, fill }, 'a tier that hangs takes all the time that the origin has')
  }
  if (firstByte > fill)
    ends('firstByte', 'fill', { firstByte, fill }, 'an origin that is silent is waited for as one that sends')
  if (lookup !== undefined && lookup > operation) {
    ends(
      'lookup',
      'operation',
      { lookup, operation },
      'the tier is given up before the origin is asked beside it',
    )
  }
  const { ttl, negativeTtl } = freshness
  if (ttl > 0 && Number.isFinite(ttl) && negativeTtl > ttl) {
    found.push(
      warning({
        message: `freshness.negativeTtl, ${showDuration(negativeTtl)}, is longer than ttl, ${showDuration(ttl)}: "not found" is believed for longer than what was found`,
        evidence: { negativeTtl, ttl },
        change: { option: 'freshness.negativeTtl', from: negativeTtl, to: ttl, live: true },
      }),
    )
  }
  return found
}

function surroundings({ profile, native, tiers }: Configured, { env }: Machine): Recommendation[] {
  const found: Recommendation[] = []
  const production = env['NODE_ENV'] === 'production'
  if (production && (profile === 'development' || profile === 'test')) {
    found.push(
      warning({
        message: `profile '${profile}' with NODE_ENV=production: it is for a machine where somebody works; want 'production'`,
        evidence: { profile, NODE_ENV: 'production' },
        change: { option: 'profile', from: profile, to: 'production', live: false },
      }),
    )
  }
  // Who asked for it knows.
  if (production && !native.loaded && env['DREY_NATIVE'] !== '0') {
    const [first] = tiers
    found.push(
      warning({
        tier: first?.name,
        message: `the addon is not loaded (${native.reason ?? 'it is not there'}): threads share no memory, the collector looks at every entry, and small ones take several times their size`,
        evidence: { loaded: 'no' },
      }),
    )
  }
  return found
}
