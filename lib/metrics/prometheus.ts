/*
 * `drey/prometheus`: metrics of caches, as text by themselves, or in a register of prom-client beside those of the application.
 */

import { ConfigError, messageOf } from '../errors.js'
import { CATALOGUE, type Metric } from './catalogue/index.js'
import { collect, type Family, type NamedCaches, openSources } from './collect.js'
import { type ExpositionOptions, linesOf, readPrefix } from './exposition.js'

export type { NamedCaches } from './collect.js'
export { BOUNDS, CONTENT_TYPE, type ExpositionOptions, exposition } from './exposition.js'

/** What of prom-client's `Registry` is used. */
export interface PrometheusRegister {
  registerMetric(metric: never): void
  removeSingleMetric(name: string): void
}

/** Options of `prometheusCollector`. */
export interface PrometheusOptions extends ExpositionOptions {
  /** The register that gets the metrics: that of your application, or `register` of prom-client. */
  readonly register: PrometheusRegister
}

/** What has metrics in a register. */
export interface PrometheusCollector {
  /** Takes the metrics out of the register again. Calling it again does nothing. */
  close(): void
}

/**
 * Puts the metrics of `caches` into a register of prom-client, which reads them whenever it is asked for its own: nothing is done between. Caches that are
 * closed are left out; where `caches` is a map, those that are put into it later are there from then on. For caches of several threads, each has a
 * register of its own.
 *
 * @throws `ERR_DREY_CONFIG` for what is no cache or no register, and when the register has metrics of those names already: give all caches to one collector, or
 * another `prefix`
 */
export function prometheusCollector(caches: NamedCaches, options: PrometheusOptions): PrometheusCollector {
  const register = options?.register
  if (typeof register?.registerMetric !== 'function' || typeof register.removeSingleMetric !== 'function') {
    throw new ConfigError('register: want a Registry of prom-client, such as its `register`')
  }
  const prefix = readPrefix(options.prefix)
  openSources(caches)
  const scrape = oncePerTurn(() => new Map(collect(openSources(caches)).map((one) => [one.metric, one])))
  const added: string[] = []
  const close = (): void => {
    for (const name of added.splice(0)) register.removeSingleMetric(name)
  }
  for (const metric of CATALOGUE) {
    const name = `${prefix}${metric.name}`
    try {
      register.registerMetric(pulled(name, metric, () => scrape().get(metric)) as never)
      added.push(name)
    } catch (error) {
      close()
      throw new ConfigError(
        `register: ${messageOf(error)}; give all caches to one collector, or each of them a prefix of its own`,
        { cause: error },
      )
    }
  }
  return { close }
}

/** What a register asks of a metric. */
function pulled(name: string, { kind, help, labels }: Metric, read: () => Family | undefined): object {
  return {
    name,
    help,
    type: kind,
    labelNames: ['cache', ...labels],
    // Of processes of a cluster, whose metrics prom-client adds up.
    aggregator: 'sum',
    get: async () => {
      const family = read()
      const values = (family === undefined ? [] : linesOf(family)).map(({ suffix, labels: own, value }) => ({
        metricName: `${name}${suffix}`,
        labels: Object.fromEntries(own),
        value,
      }))
      return { name, help, type: kind, aggregator: 'sum', values }
    },
    // The caches count, and go on counting.
    reset: nothing,
  }
}

/** What `make` gives, made once for all who ask in one turn: a register asks all of its metrics at once. */
function oncePerTurn<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    if (made === undefined) {
      made = { value: make() }
      queueMicrotask(() => {
        made = undefined
      })
    }
    return made.value
  }
}

const nothing = (): void => undefined
