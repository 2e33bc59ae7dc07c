/*
 * `drey/opentelemetry`: metrics of caches by the API of OpenTelemetry. Whatever SDK the application has reads them when it exports.
 */

import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api'
import { ConfigError } from '../errors.js'
import { CATALOGUE, type Metric } from './catalogue/index.js'
import { collect, type NamedCaches, openSources } from './collect.js'
import { type HistogramSnapshot, quantile } from './histogram.js'

export type { NamedCaches } from './collect.js'

/** What has instruments of a meter. */
export interface OpenTelemetryInstruments {
  /** Observes no more. Calling it again does nothing. */
  close(): void
}

/** Quantiles that are observed of histograms: the API has no histogram that is read when it is exported. */
export const QUANTILES = [0.5, 0.9, 0.99, 0.999, 1] as const

const UNITS: Readonly<Record<string, string>> = { bytes: 'By', seconds: 's', ratio: '1', '0 or 1': '1' }

/** How a metric is observed. */
interface Instruments {
  /** Of a histogram: gauges of its quantiles. */
  readonly value: Observable
  /** Of a histogram: how many times there are, and how long they were in all. */
  readonly count?: Observable
  readonly sum?: Observable
}

/**
 * Makes observable instruments of `meter` for the metrics of `caches`. Names are those of docs/reference/metrics.md with points: `drey.answers`,
 * without `_total` and `_seconds`, which OpenTelemetry says apart; labels are attributes. Of a histogram there are a gauge with the attribute `quantile` (1 is the
 * largest since the cache was made), and two counters, `….count` and `….sum`. Caches that are closed are left out; where `caches` is a map, those that are
 * put into it later are observed from then on.
 *
 * @throws `ERR_DREY_CONFIG` for what is no cache or no meter
 */
export function openTelemetryInstruments(caches: NamedCaches, meter: Meter): OpenTelemetryInstruments {
  if (typeof meter?.addBatchObservableCallback !== 'function') {
    throw new ConfigError('meter: want a Meter, such as metrics.getMeter("drey") of @opentelemetry/api')
  }
  openSources(caches)
  const instruments = new Map(CATALOGUE.map((metric) => [metric, instrumentsOf(metric, meter)]))
  const all = [...instruments.values()].flatMap(({ value, count, sum }) =>
    [value, count, sum].filter((one) => one !== undefined),
  )
  const observe = (result: BatchObservableResult): void => {
    for (const { metric, labels, samples } of collect(openSources(caches))) {
      const { value: gauge, count, sum } = instruments.get(metric)!
      for (const { labels: values, value } of samples) {
        const attributes = Object.fromEntries(labels.map((label, at) => [label, values[at]!]))
        if (typeof value === 'number') result.observe(gauge, value, attributes)
        else observeTimes(result, { gauge, count: count!, sum: sum! }, value, attributes)
      }
    }
  }
  meter.addBatchObservableCallback(observe, all)
  return { close: () => meter.removeBatchObservableCallback(observe, all) }
}

function instrumentsOf({ name, kind, unit, help }: Metric, meter: Meter): Instruments {
  const options = { description: help, unit: UNITS[unit] ?? `{${unit}}` }
  const full = `drey.${name.replace(/_total$|_seconds$/, '')}`
  if (kind === 'counter') return { value: meter.createObservableCounter(full, options) }
  if (kind === 'gauge') return { value: meter.createObservableGauge(full, options) }
  return {
    value: meter.createObservableGauge(full, options),
    count: meter.createObservableCounter(`${full}.count`, { description: help, unit: '{times}' }),
    sum: meter.createObservableCounter(`${full}.sum`, options),
  }
}

function observeTimes(
  result: BatchObservableResult,
  { gauge, count, sum }: { readonly gauge: Observable; readonly count: Observable; readonly sum: Observable },
  times: HistogramSnapshot,
  attributes: Attributes,
): void {
  result.observe(count, times.count, attributes)
  result.observe(sum, times.sum / 1e9, attributes)
  if (times.count === 0) return
  for (const q of QUANTILES)
    result.observe(gauge, quantile(times, q) / 1e9, { ...attributes, quantile: String(q) })
}
