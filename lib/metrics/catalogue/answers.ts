import { NOT_STORED } from '../../cache/answer.js'
import type { CacheStats } from '../../cache/cache.js'
import { NO_TIER } from '../latencies.js'
import { OTHER } from '../tally.js'
import { by, type CacheMetric, plain, type Sample } from './metric.js'

/** What is answered, from where, and what went wrong. */
export const ANSWERS: readonly CacheMetric[] = [
  {
    name: 'answers_total',
    kind: 'counter',
    unit: 'answers',
    labels: ['tier', 'outcome'],
    help: 'Answers by outcome and by the tier that answered; none where the origin did, or nothing was found.',
    read: ({ stats }) => answers(stats),
  },
  {
    name: 'negative_answers_total',
    kind: 'counter',
    unit: 'answers',
    labels: ['tier'],
    help: 'Those of the answers that said "not found".',
    read: ({ stats }) => byTier(stats, stats.negative, ({ negative }) => negative),
  },
  {
    name: 'read_bytes_total',
    kind: 'counter',
    unit: 'bytes',
    labels: ['tier'],
    help: 'Bytes of values given to readers, by the tier that they came from; none for those that came from the origin.',
    read: ({ stats }) => byTier(stats, stats.bytesOut, ({ bytesOut }) => bytesOut),
  },
  plain(
    'counter',
    'origin_bytes_total',
    'bytes',
    'Bytes of bodies that came from origins.',
    (s) => s.bytesIn,
  ),
  plain(
    'counter',
    'set_bytes_total',
    'bytes',
    'Bytes of values that were set by callers.',
    (s) => s.bytesSet,
  ),
  plain('counter', 'fills_total', 'calls', 'Calls of a fetcher, without those of retries.', (s) => s.fills),
  plain('gauge', 'fills_running', 'calls', 'Fills under way.', (s) => s.filling),
  plain(
    'counter',
    'fill_retries_total',
    'calls',
    'Calls of a fetcher that were made again.',
    (s) => s.retries,
  ),
  by(
    'reason',
    'counter',
    'not_stored_total',
    'values',
    'Values of fills that were not kept, by why.',
    (stats) => reasons(stats.notStored),
  ),
  plain(
    'counter',
    'late_lookups_total',
    'lookups',
    'Lookups that fetch did not wait for, because to ask the origin is faster.',
    (s) => s.lateLookups,
  ),
  plain('gauge', 'open_bodies', 'bodies', 'Bodies that hold resources.', (s) => s.openBodies),
  plain(
    'counter',
    'leaked_bodies_total',
    'bodies',
    'Bodies that were closed because they lay unread.',
    (s) => s.leaks,
  ),
  {
    name: 'errors_total',
    kind: 'counter',
    unit: 'errors',
    labels: ['operation', 'code'],
    help: 'Calls that failed, by what was called and by the code of the error; of bodies, body; of fetchers, fill.',
    read: ({ stats }) =>
      Object.entries(stats.metrics.errors).flatMap(([operation, codes]) =>
        Object.entries(codes).map(([code, value]): Sample => ({ labels: [operation, code], value })),
      ),
  },
  {
    name: 'operation_duration_seconds',
    kind: 'histogram',
    unit: 'seconds',
    labels: ['operation', 'outcome', 'tier', 'size'],
    help: 'How long operations took, of those that were timed; a count of these is no count of operations.',
    read: ({ latencies }) =>
      latencies.map(({ operation, outcome, tier, size, times }) => ({
        labels: [operation, outcome, tier, size],
        value: times,
      })),
  },
  by(
    'result',
    'counter',
    'refreshes_total',
    'refreshes',
    'Refreshes in the background that ended, by how; dropped: not begun, because too many waited.',
    ({ refreshes: { done, failed, dropped } }) => ({ done, failed, dropped }),
  ),
  plain('gauge', 'refreshes_running', 'refreshes', 'Refreshes under way.', (s) => s.refreshes.running),
  plain(
    'gauge',
    'refreshes_waiting',
    'refreshes',
    'Refreshes that wait for their turn.',
    (s) => s.refreshes.waiting,
  ),
  by(
    'breaker',
    'gauge',
    'origins',
    'origins',
    'Origins that were given a name, by the state of their breaker.',
    ({ origins }) => {
      const states = { closed: 0, open: 0, 'half-open': 0 }
      for (const { breaker } of origins) states[breaker] += 1
      return states
    },
  ),
  by(
    'origin',
    'counter',
    'origin_refusals_total',
    'calls',
    'Calls of a named origin that were not made because its breaker was open; the first 50 names have their own.',
    (stats) => stats.originRefusals,
  ),
]

function answers(stats: CacheStats): Sample[] {
  const rest = { hit: stats.hits, joined: stats.joined, revalidated: stats.revalidated, stale: stats.stale }
  const samples: Sample[] = []
  for (const [tier, { hits, joined, revalidated, stale }] of answering(stats)) {
    for (const [outcome, value] of Object.entries({ hit: hits, joined, revalidated, stale })) {
      samples.push({ labels: [tier, outcome], value })
      rest[outcome as keyof typeof rest] -= value
    }
  }
  for (const [outcome, value] of Object.entries({ ...rest, miss: stats.misses })) {
    samples.push({ labels: [NO_TIER, outcome], value })
  }
  return samples
}

/** What each tier has of `total`, and what no tier has. */
function byTier(
  stats: CacheStats,
  total: number,
  read: (answers: CacheStats['tiers'][number]['answers']) => number,
): Sample[] {
  const samples = answering(stats).map(([tier, of]): Sample & { readonly value: number } => ({
    labels: [tier],
    value: read(of),
  }))
  const rest = samples.reduce((left, { value }) => left - value, total)
  return [...samples, { labels: [NO_TIER], value: rest }]
}

/** The tiers with what they answered; those of one name, which answers do not tell apart, as one. */
function answering({ tiers }: CacheStats): Array<[string, CacheStats['tiers'][number]['answers']]> {
  return tiers
    .filter(({ name }, at) => tiers.findIndex((tier) => tier.name === name) === at)
    .map(({ name, answers: of }) => [name, of])
}

function reasons(notStored: Readonly<Record<string, number>>): Record<string, number> {
  const known: Record<string, number> = Object.fromEntries(NOT_STORED.map((reason) => [reason, 0]))
  let other = 0
  for (const [reason, count] of Object.entries(notStored)) {
    if (reason in known) known[reason] = count
    else other += count
  }
  return { ...known, [OTHER]: other }
}
