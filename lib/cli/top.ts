import type { Writable } from 'node:stream'
import { type Clock, systemClock } from '../clock.js'
import { showSize } from '../config/units.js'
import { messageOf } from '../errors.js'
import type { LatencySummary } from '../metrics/histogram.js'
import {
  type MetricSeries,
  type MetricsSnapshot,
  metricsDifference,
  metricsLatency,
  metricsTotal,
} from '../metrics/snapshot.js'
import { ADMIN_WHAT, type AdminClient, adminClient } from './admin-client.js'
import type { Console } from './console.js'
import { showCount, showPart, showTime, tableOf } from './table.js'
import { CommandError, type Flags, type FlagValue, readOperands, UsageError } from './usage.js'

const FLAGS = { count: { type: 'string' }, json: { type: 'boolean' } } as const satisfies Flags

export const TOP_HELP = `drey top: what a running proxy does, second by second

Usage:
  drey top ADMIN [--count N] [--json]

${ADMIN_WHAT}
On a terminal it draws itself anew each second; elsewhere it prints a line a second. Ctrl-C ends it. A proxy that goes away is
waited for.

Options:
  --count N   end after N seconds
  --json      one object a second on standard output, a line each

Exit status: 0 it was ended, or has shown N, 1 it cannot be asked, or refuses, 2 the command line is wrong.

Examples:
  drey top 9000
  drey top /run/drey.sock --count 60 > minute.txt
`

/** Between two looks, in ms. */
const EVERY_MS = 1000

/** What happened between two looks. */
interface View {
  /** Answers a second. */
  readonly rate: number
  /** Of answers, those that the cache gave; undefined without any. */
  readonly hitRatio: number | null
  /** Bytes a second. */
  readonly bytesOut: number
  readonly bytesIn: number
  /** Calls of origins a second, and those under way. */
  readonly fills: number
  readonly filling: number
  /** Of whole calls, in milliseconds. */
  readonly latency: Pick<LatencySummary, 'count' | 'p50' | 'p99'>
  readonly tiers: readonly TierView[]
}

interface TierView {
  readonly name: string
  /** Of all answers, those that it gave. */
  readonly hitRatio: number | null
  readonly bytes: number
  readonly maxBytes: number
  readonly breaker: string
}

/** `drey top`: runs until it is told to stop. Resolves to the exit status. */
export function topCommand(args: readonly string[], console: Console): Promise<number> {
  return topWith(args, console, systemClock)
}

/** The same, with the clock given. */
export async function topWith(args: readonly string[], console: Console, clock: Clock): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  if (operands.length > 1) throw new UsageError('top wants one ADMIN')
  const client = adminClient('top', operands[0])
  const count = countOf(flags['count'])
  let stop = (): void => undefined
  const stopped = new Promise<'stopped'>((resolve) => {
    stop = () => resolve('stopped')
  })
  const forget = console.onStop(stop)
  // Whoever cannot be asked at all is told of before the screen is taken.
  try {
    const first = await Promise.race([look(client), stopped])
    if (first === 'stopped') return 0
    const screen = screenOf(console.stdout, flags['json'] === true, client.name)
    try {
      await follow(client, first, count, screen, { clock, stopped, stderr: console.stderr })
    } finally {
      screen.end()
    }
    return 0
  } finally {
    forget()
  }
}

function countOf(given: FlagValue): number {
  if (given === undefined) return Number.POSITIVE_INFINITY
  const count = Number(given)
  if (typeof given === 'string' && /^\d{1,9}$/.test(given) && count > 0) return count
  throw new UsageError(`top: --count: got ${JSON.stringify(given)}; want a whole number of seconds`)
}

interface Following {
  readonly clock: Clock
  readonly stopped: Promise<'stopped'>
  readonly stderr: Writable
}

async function follow(
  client: AdminClient,
  first: MetricsSnapshot,
  count: number,
  screen: Screen,
  { clock, stopped, stderr }: Following,
): Promise<void> {
  let before: MetricsSnapshot | undefined = first
  for (let shown = 0; shown < count; ) {
    const wait = pause(clock)
    const over = await Promise.race([wait.over, stopped])
    wait.cancel()
    if (over === 'stopped') return
    let now: MetricsSnapshot | 'stopped'
    try {
      now = await Promise.race([look(client), stopped])
    } catch (error) {
      if (before !== undefined) stderr.write(`drey: ${messageOf(error)}; trying again\n`)
      before = undefined
      continue
    }
    if (now === 'stopped') return
    // Another process has begun to count anew.
    if (before !== undefined && now.at > before.at) {
      screen.show(viewOf(metricsDifference(now, before)))
      shown += 1
    }
    before = now
  }
}

function pause(clock: Clock): { readonly over: Promise<'over'>; cancel(): void } {
  let cancel = (): void => undefined
  const over = new Promise<'over'>((resolve) => {
    cancel = clock.after(EVERY_MS, () => resolve('over'), true).cancel
  })
  return { over, cancel: () => cancel() }
}

async function look(client: AdminClient): Promise<MetricsSnapshot> {
  const { at, series } = ((await client.get('/snapshot')) ?? {}) as Partial<MetricsSnapshot>
  if (typeof at !== 'number' || !Array.isArray(series)) {
    throw new CommandError(`${client.name} does not answer as this version of drey does`)
  }
  return { at, series: (series as readonly MetricSeries[]).map(revived) }
}

/** JSON has arrays of one kind. */
function revived(series: MetricSeries): MetricSeries {
  const { value } = series
  if (typeof value === 'number') return series
  // A number that JSON does not have.
  if (typeof value === 'string') return { ...series, value: Number(value) }
  return { ...series, value: { ...value, buckets: Float64Array.from(value.buckets) } }
}

function viewOf(difference: MetricsSnapshot): View {
  const seconds = Math.max(difference.duration ?? 0, 1) / 1000
  const rate = (name: string): number => metricsTotal(difference, name) / seconds
  const answers = metricsTotal(difference, 'answers_total')
  const misses = metricsTotal(difference, 'answers_total', { outcome: 'miss' })
  const { count, p50, p99 } = metricsLatency(difference, 'operation_duration_seconds', { operation: 'fetch' })
  return {
    rate: answers / seconds,
    hitRatio: answers === 0 ? null : (answers - misses) / answers,
    bytesOut: rate('read_bytes_total'),
    bytesIn: rate('origin_bytes_total'),
    fills: rate('fills_total'),
    filling: metricsTotal(difference, 'fills_running'),
    latency: { count, p50, p99 },
    tiers: tiersOf(difference, answers),
  }
}

function tiersOf(difference: MetricsSnapshot, answers: number): TierView[] {
  const bounds = difference.series.filter(({ name }) => name === 'tier_max_bytes')
  return bounds.map(({ labels }) => {
    const tier = labels['tier'] ?? ''
    const total = (name: string, more = {}): number => metricsTotal(difference, name, { tier, ...more })
    const states = ['closed', 'half-open', 'open']
    return {
      name: tier,
      hitRatio:
        answers === 0
          ? null
          : (total('answers_total') - total('answers_total', { outcome: 'miss' })) / answers,
      bytes: total('tier_bytes'),
      maxBytes: total('tier_max_bytes'),
      breaker: states.find((state) => total('tier_breaker_state', { state }) > 0) ?? '-',
    }
  })
}

interface Screen {
  show(view: View): void
  end(): void
}

/** Of a terminal: a screen of its own, without a cursor. */
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_REST = '\x1b[J'

function screenOf(out: Writable & { readonly isTTY?: boolean }, json: boolean, name: string): Screen {
  const end = (): undefined => undefined
  if (json) return { show: (view) => void out.write(`${JSON.stringify(view)}\n`), end }
  if (out.isTTY !== true) return { show: (view) => void out.write(`${lineOf(view)}\n`), end }
  out.write(ENTER)
  return {
    show(view) {
      const lines = [`drey top ${name}   (Ctrl-C ends it)`, '', ...linesOf(view)]
      out.write(`${HOME}${lines.map((line) => `${line}${CLEAR_LINE}\n`).join('')}${CLEAR_REST}`)
    },
    end: () => void out.write(LEAVE),
  }
}

function ratioText(ratio: number | null): string {
  return ratio === null ? '-' : showPart(ratio, 1)
}

function lineOf({ rate, hitRatio, latency, bytesOut, bytesIn, fills, tiers }: View): string {
  const tripped = tiers.filter(({ breaker }) => breaker !== 'closed')
  return [
    `${showCount(rate)} req/s`,
    `hit ${ratioText(hitRatio)}`,
    ...tiers.map((tier) => `${tier.name} ${ratioText(tier.hitRatio)}`),
    `p50 ${showTime(latency.p50, latency.count)}`,
    `p99 ${showTime(latency.p99, latency.count)}`,
    `out ${perSecond(bytesOut)}`,
    `in ${perSecond(bytesIn)}`,
    `fills ${showCount(fills)}/s`,
    ...tripped.map(({ name, breaker }) => `breaker of ${name} ${breaker}`),
  ].join('  ')
}

function linesOf(view: View): string[] {
  const { rate, hitRatio, latency, bytesOut, bytesIn, fills, filling, tiers } = view
  const { count, p50, p99 } = latency
  return [
    ...tableOf([
      ['requests', `${showCount(rate)}/s`],
      ['from the cache', ratioText(hitRatio)],
      ['p50', showTime(p50, count)],
      ['p99', showTime(p99, count)],
      ['bytes out', perSecond(bytesOut)],
      ['bytes from origins', perSecond(bytesIn)],
      ['fills', `${showCount(fills)}/s`],
      ['fills under way', showCount(filling)],
    ]),
    '',
    ...tableOf([
      ['tier', 'hit', 'bytes', 'bound', 'breaker'],
      ...tiers.map(({ name, hitRatio: part, bytes, maxBytes, breaker }) => [
        name,
        ratioText(part),
        showSize(bytes),
        Number.isFinite(maxBytes) ? showSize(maxBytes) : '-',
        breaker,
      ]),
    ]),
  ]
}

function perSecond(bytes: number): string {
  return `${showSize(Math.round(bytes))}/s`
}
