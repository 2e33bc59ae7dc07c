import type { z } from 'zod'
import { bufferPoolOptions } from '../../buffers/options.js'
import { abandonOptions } from '../../cache/abandon.js'
import { ownOptions as groupCacheOptions, groupOptions } from '../../cache/group.js'
import { cacheOptions } from '../../cache/schema.js'
import { compressionOptions } from '../../compression/options.js'
import { proxyOptions } from '../../http/schema.js'
import { alertOptions } from '../../metrics/health/options.js'
import { metricsOptions } from '../../metrics/options.js'
import { limiterOptions, ownerOptions } from '../../resilience/limiter/options.js'
import { pressureOptions } from '../../resilience/pressure/options.js'
import { agingOptions } from '../../store/aging/options.js'
import { fileStoreOptions } from '../../store/file/options.js'
import { fileConfig } from '../file/schema.js'
import { memoryStoreOptions } from '../schema.js'

/** Options that stand together in the reference. */
export interface Section {
  readonly title: string
  readonly intro: string
  readonly schema: z.ZodObject
}

/** The reference, in its order. */
export const SECTIONS: readonly Section[] = [
  {
    title: 'createCache',
    intro: 'Options of `createCache`, and of a configuration file.',
    schema: cacheOptions,
  },
  {
    title: 'abandon',
    intro: 'The option `abandon` of `createCache`, where it says more than a word: at least one of the two.',
    schema: abandonOptions,
  },
  {
    title: 'memoryStore',
    intro: "Options of `memoryStore`, and of a tier `{ store: 'memory' }`. See [memory.md](memory.md).",
    schema: memoryStoreOptions,
  },
  {
    title: 'fileStore',
    intro:
      "Options of `fileStore`, and of a tier `{ store: 'file' }`. See [file.md](file.md). `nullStore` has none.",
    schema: fileStoreOptions,
  },
  {
    title: 'A tier as data',
    intro:
      "What `{ store: 'memory' }` and `{ store: 'file' }` take beside the options of the store; in code, `aging(store, ttl)`. See [tiers.md](tiers.md).",
    schema: agingOptions,
  },
  {
    title: 'compression',
    intro:
      'The option `compression` of a store, where it says more than a name. See [compression.md](compression.md).',
    schema: compressionOptions,
  },
  {
    title: 'BufferPool',
    intro:
      'Options of `new BufferPool`, and of `bufferPool` where it is no pool. See [buffers.md](buffers.md).',
    schema: bufferPoolOptions,
  },
  {
    title: 'metrics',
    intro:
      'The option `metrics` of `createCache`, where it says more than yes or no. See [metrics.md](metrics.md).',
    schema: metricsOptions,
  },
  {
    title: 'alerts',
    intro:
      'The option `alerts` of `createCache`, where it says more than yes or no. See [health.md](health.md).',
    schema: alertOptions,
  },
  {
    title: 'createPressure',
    intro:
      'Options of `createPressure`, and of `pressure` where it is no detector. See [pressure.md](pressure.md).',
    schema: pressureOptions,
  },
  {
    title: 'createGroup',
    intro: 'Options of `createGroup`. See [groups.md](groups.md).',
    schema: groupOptions,
  },
  {
    title: 'createCache of a group',
    intro: 'What a cache of a group takes beside its own options.',
    schema: groupCacheOptions,
  },
  {
    title: 'createProxy',
    intro: 'Options of `createProxy`; in a configuration file, under `proxy`. See [proxy.md](proxy.md).',
    schema: proxyOptions,
  },
]

/** Those that no program outside gives. */
export const INNER: readonly z.ZodObject[] = [limiterOptions, ownerOptions, fileConfig]
