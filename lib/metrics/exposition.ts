import { ConfigError } from '../errors.js'
import type { Sample } from './catalogue/index.js'
import { collect, type Family, type NamedCaches, openSources } from './collect.js'
import { countsBelow, type HistogramSnapshot } from './histogram.js'

/*
 * The text format of Prometheus, version 0.0.4.
 */

/** Of an answer that has such a text as its body. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Upper bounds of exported buckets, in seconds. Counts are of the nearest border of the finer buckets within, a thirty-second away at most. */
export const BOUNDS: readonly number[] = [
  1e-6, 5e-6, 2e-5, 1e-4, 5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 0.1, 0.5, 1, 5, 10, 60,
]

const BOUNDS_NS = BOUNDS.map((seconds) => seconds * 1e9)

/** What every name of a metric begins with, unless another is given. */
export const PREFIX = 'drey_'

/** How metrics are written. */
export interface ExpositionOptions {
  /** What every name begins with: letters, digits and underscores. Default `drey_`. */
  readonly prefix?: string | undefined
}

/** One line of a family. */
export interface ExpositionLine {
  /** What comes after the name: `_bucket`, `_sum`, `_count`, or nothing. */
  readonly suffix: string
  readonly labels: ReadonlyArray<readonly [name: string, value: string]>
  readonly value: number
}

/** @throws `ERR_DREY_CONFIG` for what no name can begin with */
export function readPrefix(prefix: string = PREFIX): string {
  if (typeof prefix === 'string' && /^[a-zA-Z_][a-zA-Z0-9_]{0,60}$/.test(prefix)) return prefix
  const shown = typeof prefix === 'string' ? JSON.stringify(prefix.slice(0, 60)) : typeof prefix
  throw new ConfigError(`prefix: got ${shown}; want letters, digits and underscores, such as "drey_"`)
}

/**
 * All metrics of `caches` that are open, in the text format of Prometheus: what `GET /metrics` answers, with `CONTENT_TYPE`. It needs no other package.
 *
 * @throws `ERR_DREY_CONFIG` for what is no cache, and for a prefix that is none
 */
export function exposition(caches: NamedCaches, options: ExpositionOptions = {}): string {
  const prefix = readPrefix(options.prefix)
  return collect(openSources(caches))
    .filter(({ samples }) => samples.length > 0)
    .map((family) => textOf(family, prefix))
    .join('')
}

/** The lines of a family, bucket by bucket where it is a histogram. */
export function linesOf({ labels, samples }: Family): ExpositionLine[] {
  return samples.flatMap((sample) => {
    const own = labels.map((name, at): [string, string] => [name, sample.labels[at]!])
    return isTimes(sample.value)
      ? bucketLines(own, sample.value)
      : [{ suffix: '', labels: own, value: sample.value }]
  })
}

function textOf(family: Family, prefix: string): string {
  const { name, kind, help } = family.metric
  const lines = linesOf(family).map(({ suffix, labels, value }) => {
    const pairs = labels.map(([label, of]) => `${label}="${escapeLabel(of)}"`)
    return `${prefix}${name}${suffix}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${numberText(value)}\n`
  })
  return `# HELP ${prefix}${name} ${escapeHelp(help)}\n# TYPE ${prefix}${name} ${kind}\n${lines.join('')}`
}

function bucketLines(own: ExpositionLine['labels'], times: HistogramSnapshot): ExpositionLine[] {
  const counts = countsBelow(times, BOUNDS_NS)
  const buckets = BOUNDS.map((bound, at) => ({
    suffix: '_bucket',
    labels: [...own, ['le', String(bound)] as const],
    value: counts[at]!,
  }))
  return [
    ...buckets,
    { suffix: '_bucket', labels: [...own, ['le', '+Inf']], value: times.count },
    { suffix: '_sum', labels: own, value: times.sum / 1e9 },
    { suffix: '_count', labels: own, value: times.count },
  ]
}

function isTimes(value: Sample['value']): value is HistogramSnapshot {
  return typeof value !== 'number'
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}
