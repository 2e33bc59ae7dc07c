import type { HistoryMessage } from '../messages.js'
import { bytesPerSecond, count, type Figure, milliseconds, percent, perSecond } from './format.js'

/** A line of a chart. */
export interface SeriesSpec {
  readonly label: string
  /** As `columns` of the message `history` has it. */
  readonly column: string
}

/** What a chart shows. */
export interface ChartSpec {
  readonly title: string
  readonly series: readonly SeriesSpec[]
  readonly format: (value: Figure) => string
  /** `count`: from 0 on. `bytes`: the same, by powers of two. `ratio`: from 0 to 1. `log`: by powers of ten. */
  readonly scale: 'count' | 'bytes' | 'ratio' | 'log'
  /** What is said where there is nothing to draw. */
  readonly empty: string
}

/** Colours that tell lines apart, and dashes that do the same for who does not see them. Amber and red mean something else here. */
export const STYLES: ReadonlyArray<{ readonly stroke: string; readonly dash: readonly number[] }> = [
  { stroke: '#00ff00', dash: [] },
  { stroke: '#22d3ee', dash: [7, 3] },
  { stroke: '#d8a2ff', dash: [2, 3] },
  { stroke: '#f4f4f4', dash: [9, 3, 2, 3] },
  { stroke: '#7f9cff', dash: [4, 2] },
]

const SIZE_LABELS: Readonly<Record<string, string>> = {
  small: '< 32 KiB',
  medium: '< 256 KiB',
  large: '< 1 MiB',
  veryLarge: '≥ 1 MiB',
}

/** All charts, of a cache as the message says it is. */
export function chartsOf({ tiers, sizes }: Pick<HistoryMessage, 'tiers' | 'sizes'>): readonly ChartSpec[] {
  const bySize = (percentile: string): SeriesSpec[] =>
    sizes.map((size) => ({ label: SIZE_LABELS[size] ?? size, column: `${percentile} ${size}` }))
  const byTier = (figure: string): SeriesSpec[] =>
    tiers.map((label, place) => ({ label, column: `${figure} ${place}` }))
  const none = 'nothing was asked yet'
  return [
    {
      title: 'Throughput',
      series: [
        { label: 'answers', column: 'requests' },
        { label: 'fills', column: 'fills' },
        { label: 'evictions', column: 'evictions' },
      ],
      format: perSecond,
      scale: 'count',
      empty: none,
    },
    {
      title: 'Hit ratio by tier',
      series: [{ label: 'all', column: 'hitRatio' }, ...byTier('hits')],
      format: percent,
      scale: 'ratio',
      empty: none,
    },
    {
      title: 'Latency by size, median',
      series: bySize('p50'),
      format: milliseconds,
      scale: 'log',
      empty: 'no call was timed in this window: one of `metrics.sampling` is',
    },
    {
      title: 'Latency by size, 99th percentile',
      series: bySize('p99'),
      format: milliseconds,
      scale: 'log',
      empty: 'no call was timed in this window: one of `metrics.sampling` is',
    },
    {
      title: 'Memory and disk, of their bounds',
      series: byTier('used'),
      format: percent,
      scale: 'ratio',
      empty: 'no tier has a bound',
    },
    {
      title: 'Bytes',
      series: [
        { label: 'to readers', column: 'bytesOut' },
        { label: 'from origins', column: 'bytesIn' },
      ],
      format: bytesPerSecond,
      scale: 'bytes',
      empty: none,
    },
    {
      title: 'Fills in flight',
      series: [{ label: 'fills', column: 'filling' }],
      format: count,
      scale: 'count',
      empty: none,
    },
    {
      title: 'Pressure and errors',
      series: [
        { label: 'memory of the machine in use', column: 'pressure' },
        { label: 'calls that fail', column: 'errors' },
      ],
      format: percent,
      scale: 'ratio',
      empty: 'nobody watches memory, and nothing was asked yet',
    },
  ]
}
