import type { Attributes, BatchObservableResult } from '@opentelemetry/api'
import {
  AggregationTemporality,
  DataPointType,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { afterEach, describe, expect, test } from 'vitest'
import { type Cache, createCache, memoryStore } from '../../../lib/index.js'
import { CATALOGUE } from '../../../lib/metrics/catalogue/index.js'
import { openTelemetryInstruments, QUANTILES } from '../../../lib/metrics/opentelemetry.js'

const closing: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function cacheOf(): Promise<Cache> {
  const cache = await createCache({ tiers: [memoryStore({ maxBytes: '8MiB' })], metrics: { sampling: 1 } })
  closing.push(() => cache.close())
  return cache
}

/** A meter of the SDK, and what it reads when it is asked. */
function sdk(): {
  meter: ReturnType<MeterProvider['getMeter']>
  read: () => Promise<Map<string, MetricData>>
} {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
  const provider = new MeterProvider({ readers: [reader] })
  closing.push(() => provider.shutdown())
  return {
    meter: provider.getMeter('drey'),
    read: async () => {
      exporter.reset()
      const { resourceMetrics, errors } = await reader.collect()
      expect(errors).toEqual([])
      const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
      return new Map(all.map((metric) => [metric.descriptor.name, metric]))
    },
  }
}

describe('instruments', () => {
  test('are read by the SDK, with their kinds, units and attributes', async () => {
    const cache = await cacheOf()
    await cache.set('a', 'value')
    cache.getSync('a')
    const { meter, read } = sdk()
    openTelemetryInstruments({ main: cache }, meter)
    const metrics = await read()

    const answers = metrics.get('drey.answers')!
    expect(answers.descriptor.unit).toBe('{answers}')
    expect(answers).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: true })
    const hit = answers.dataPoints.find(({ attributes }) => attributes['outcome'] === 'hit')
    expect(hit).toMatchObject({ value: 1, attributes: { cache: 'main', tier: 'memory', outcome: 'hit' } })

    const bytes = metrics.get('drey.tier_bytes')!
    expect(bytes.descriptor.unit).toBe('By')
    expect(bytes.dataPointType).toBe(DataPointType.GAUGE)
    expect(bytes.dataPoints[0]!.value).toBeGreaterThan(5)

    const times = metrics.get('drey.operation_duration')!
    expect(times.descriptor.unit).toBe('s')
    const sets = times.dataPoints.filter(({ attributes }) => attributes['operation'] === 'set')
    expect(sets.map(({ attributes }) => attributes['quantile'])).toEqual(QUANTILES.map(String))
    const count = metrics.get('drey.operation_duration.count')!
    const ofSets = count.dataPoints.find(({ attributes }) => attributes['operation'] === 'set')
    expect(ofSets!.value).toBe(1)
    expect(metrics.get('drey.operation_duration.sum')!.dataPoints.length).toBe(count.dataPoints.length)
  })

  test('are of the names that the catalogue has', async () => {
    const { meter, read } = sdk()
    const cache = await cacheOf()
    openTelemetryInstruments({ cache }, meter)
    const known = new Set(
      CATALOGUE.flatMap(({ name }) => {
        const dotted = `drey.${name.replace(/_total$|_seconds$/, '')}`
        return [dotted, `${dotted}.count`, `${dotted}.sum`]
      }),
    )
    const read_ = [...(await read()).keys()]
    expect(read_.length).toBeGreaterThan(40)
    expect(read_.filter((name) => !known.has(name))).toEqual([])
  })

  test('say nothing of a cache that is closed, of none after close, and of one that comes later', async () => {
    // Not by the SDK, which goes on exporting what it was told last.
    const callbacks = new Set<(result: BatchObservableResult) => void>()
    const meter = {
      createObservableCounter: () => ({}),
      createObservableGauge: () => ({}),
      addBatchObservableCallback: (callback: (result: BatchObservableResult) => void) =>
        callbacks.add(callback),
      removeBatchObservableCallback: (callback: (result: BatchObservableResult) => void) =>
        callbacks.delete(callback),
    }
    const names = (): unknown[] => {
      const seen = new Set<unknown>()
      const observe = (_: unknown, __: number, attributes?: Attributes): unknown =>
        attributes?.['cache'] === undefined ? undefined : seen.add(attributes['cache'])
      for (const callback of callbacks) callback({ observe } as BatchObservableResult)
      return [...seen]
    }
    const [one, two] = [await cacheOf(), await cacheOf()]
    const caches = new Map([['one', one]])
    const instruments = openTelemetryInstruments(caches, meter as never)
    caches.set('two', two)
    expect(names()).toEqual(['one', 'two'])
    await one.close()
    expect(names()).toEqual(['two'])
    instruments.close()
    instruments.close()
    expect(callbacks.size).toBe(0)
  })

  test('want caches and a meter', async () => {
    const { meter } = sdk()
    const cache = await cacheOf()
    expect(() => openTelemetryInstruments({ cache }, {} as never)).toThrow('meter: want a Meter')
    expect(() => openTelemetryInstruments({ cache: {} } as never, meter)).toThrow(
      'caches.cache: got an object',
    )
  })
})
