import type { CacheStats } from '../cache/cache.js'
import { showSize } from '../config/units.js'
import { ADMIN_WHAT, type AdminClient, adminClient } from './admin-client.js'
import type { Console } from './console.js'
import { showCount, showPart, showTime, tableOf } from './table.js'
import { CommandError, type Flags, readOperands, UsageError } from './usage.js'

const FLAGS = { json: { type: 'boolean' } } as const satisfies Flags

export const STATS_HELP = `drey stats: what a running proxy counts

Usage:
  drey stats ADMIN [--json]

${ADMIN_WHAT}

Options:
  --json   all of cache.stats(), one object on standard output; numbers that JSON does not have are text: "Infinity"

Exit status: 0 done, 1 it cannot be asked, or refuses, 2 the command line is wrong.

Examples:
  drey stats 9000
  drey stats /run/drey.sock --json
`

/** `drey stats`: resolves to the exit status. */
export async function statsCommand(args: readonly string[], console: Console): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  if (operands.length > 1) throw new UsageError('stats wants one ADMIN')
  const client = adminClient('stats', operands[0])
  const stats = await ask(client)
  const text = flags['json'] === true ? JSON.stringify(stats) : linesOf(stats).join('\n')
  console.stdout.write(`${text}\n`)
  return 0
}

async function ask(client: AdminClient): Promise<CacheStats> {
  const stats = (await client.get('/stats')) as Partial<CacheStats> | null
  if (Array.isArray(stats?.tiers) && Array.isArray(stats.metrics?.latency)) return stats as CacheStats
  throw new CommandError(`${client.name} does not answer as this version of drey does`)
}

function linesOf(stats: CacheStats): string[] {
  const { hits, misses, joined, revalidated, stale, notStored } = stats
  const all = hits + misses + joined + revalidated + stale
  const reasons = Object.entries(notStored).filter(([, count]) => count > 0)
  return [
    `answers  ${showCount(all)}, ${showPart(all - misses, all)} from the cache`,
    `         ${counts(stats, ['hits', 'joined', 'revalidated', 'stale', 'misses', 'negative'])}`,
    `bytes    ${showSize(stats.bytesOut)} out, ${showSize(stats.bytesIn)} from origins, ${showSize(stats.bytesSet)} set`,
    `fills    ${counts(stats, ['fills', 'filling', 'retries'])}, ${stats.openBodies} open bodies, ${stats.leaks} leaks`,
    ...(reasons.length === 0
      ? []
      : [`not kept ${reasons.map(([reason, count]) => `${reason} ${showCount(count)}`).join(', ')}`]),
    '',
    ...tableOf([TIER_COLUMNS, ...stats.tiers.map((tier) => tierRow(tier, all))]),
    ...originLines(stats),
    ...latencyLines(stats),
  ]
}

type Count =
  | 'hits'
  | 'joined'
  | 'revalidated'
  | 'stale'
  | 'misses'
  | 'negative'
  | 'fills'
  | 'filling'
  | 'retries'

function counts(stats: CacheStats, names: readonly Count[]): string {
  return names.map((name) => `${name} ${showCount(stats[name])}`).join(', ')
}

const TIER_COLUMNS = ['tier', 'entries', 'bytes', 'bound', 'hit', 'evicted', 'failures', 'breaker']

/** @param all answers of the cache, of which the tier gave some */
function tierRow(tier: CacheStats['tiers'][number], all: number): string[] {
  const { hits, joined, revalidated, stale } = tier.answers
  return [
    tier.name,
    showCount(tier.entries),
    showSize(tier.bytes),
    // A store without a bound says so in words, as JSON has no number for it.
    Number.isFinite(tier.maxBytes) ? showSize(tier.maxBytes) : '-',
    showPart(hits + joined + revalidated + stale, all),
    showCount(tier.evictions),
    showCount(tier.failures),
    tier.breaker,
  ]
}

function originLines({ origins }: CacheStats): string[] {
  if (origins.length === 0) return []
  const rows = origins.map(({ name, breaker, refused }) => [
    JSON.stringify(name),
    breaker,
    showCount(refused),
  ])
  return ['', ...tableOf([['origin', 'breaker', 'refused'], ...rows])]
}

function latencyLines({ metrics: { latency } }: CacheStats): string[] {
  if (latency.length === 0) return []
  const rows = latency.map(({ operation, outcome, tier, size, count, p50, p99, max }) => [
    `${operation} ${outcome}`,
    tier,
    size,
    showCount(count),
    ...[p50, p99, max].map((ms) => showTime(ms)),
  ])
  return ['', ...tableOf([['operation', 'tier', 'size', 'timed', 'p50', 'p99', 'max'], ...rows])]
}
