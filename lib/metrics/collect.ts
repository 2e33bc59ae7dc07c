import type { Cache } from '../cache/cache.js'
import { ConfigError } from '../errors.js'
import { type Metric, OF_CACHES, type Sample, THREAD } from './catalogue/index.js'
import { type MetricsSource, sourceOf } from './source.js'

/** Caches by the names that they have in metrics: `{ pages, images }`, or a map, as of a group, in which others may be later. */
export type NamedCaches = Readonly<Record<string, Cache>> | ReadonlyMap<string, Cache>

/** A metric with all that there is of it. */
export interface Family {
  readonly metric: Metric
  /** Names of the labels, in the order of the samples' values. */
  readonly labels: readonly string[]
  readonly samples: readonly Sample[]
}

const LONGEST_NAME = 200

/** The caches that are open, by name. @throws `ERR_DREY_CONFIG` for what is no cache, and for a name that is none */
export function openSources(caches: NamedCaches): ReadonlyMap<string, MetricsSource> {
  if (typeof caches !== 'object' || caches === null) {
    throw new ConfigError(
      `caches: got ${caches === null ? 'null' : typeof caches}; want caches by name, such as { pages: cache }`,
    )
  }
  const all: Iterable<readonly [string, Cache]> = isMap(caches) ? caches : Object.entries(caches)
  const open = new Map<string, MetricsSource>()
  for (const [name, cache] of all) {
    if (typeof name !== 'string' || name === '' || name.length > LONGEST_NAME) {
      throw new ConfigError(
        `caches: got a name of ${String(name).length} characters; want 1 to ${LONGEST_NAME}`,
      )
    }
    const source = sourceOf(cache, `caches.${name}`)
    if (!source.isClosed()) open.set(name, source)
  }
  return open
}

/** All metrics of all of `sources`, in the order of the catalogue. */
export function collect(sources: ReadonlyMap<string, MetricsSource>): Family[] {
  const views = Array.from(sources, ([name, source]) => ({
    name,
    view: { stats: source.stats(), latencies: source.latencies() },
  }))
  const ofCaches = OF_CACHES.map((metric): Family => {
    const samples = views.flatMap(({ name, view }) =>
      metric.read(view).map(({ labels, value }) => ({ labels: [name, ...labels], value })),
    )
    return { metric, labels: ['cache', ...metric.labels], samples }
  })
  return [...ofCaches, ...collectThread(sources.values())]
}

/** Of the thread: all caches know the same of it. */
function collectThread(sources: Iterable<MetricsSource>): Family[] {
  for (const source of sources) {
    const times = source.runtime()
    if (times === undefined) continue
    return THREAD.map((metric) => ({ metric, labels: metric.labels, samples: metric.read(times) }))
  }
  return THREAD.map((metric) => ({ metric, labels: metric.labels, samples: [] }))
}

function isMap(caches: NamedCaches): caches is ReadonlyMap<string, Cache> {
  return caches instanceof Map
}
