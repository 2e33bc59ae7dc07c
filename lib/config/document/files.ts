import { readFileSync } from 'node:fs'
import type { z } from 'zod'
import { bufferPoolOptions } from '../../buffers/options.js'
import { abandonOptions } from '../../cache/abandon.js'
import { groupOptions, ownOptions } from '../../cache/group.js'
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
import { rowsOf } from '../rows.js'
import { memoryStoreOptions } from '../schema.js'
import { withComments } from './comments.js'
import { jsonSchemaOf } from './json.js'
import { configurationPage, profilesPage } from './markdown.js'

/** Sources whose options have doc comments made of what the schema says, and the schemas that stand there. */
const SOURCES: ReadonlyMap<string, readonly z.ZodObject[]> = new Map([
  ['lib/buffers/options.ts', [bufferPoolOptions]],
  ['lib/cache/abandon.ts', [abandonOptions]],
  ['lib/cache/group.ts', [groupOptions, ownOptions]],
  ['lib/cache/schema.ts', [cacheOptions]],
  ['lib/compression/options.ts', [compressionOptions]],
  ['lib/config/file/schema.ts', [fileConfig]],
  ['lib/config/schema.ts', [cacheOptions, memoryStoreOptions]],
  ['lib/http/schema.ts', [proxyOptions]],
  ['lib/metrics/options.ts', [metricsOptions]],
  ['lib/metrics/health/options.ts', [alertOptions]],
  ['lib/resilience/limiter/options.ts', [limiterOptions, ownerOptions]],
  ['lib/resilience/pressure/options.ts', [pressureOptions]],
  ['lib/store/aging/options.ts', [agingOptions]],
  ['lib/store/file/options.ts', [fileStoreOptions]],
])

/** The JSON schema of a configuration file, draft 2020-12. */
export function fileSchema(): Readonly<Record<string, unknown>> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'drey.config.json',
    ...jsonSchemaOf(fileConfig),
  }
}

/** Every file that is made out of the schema, by its path from `root`, and what it is to hold. */
export function madeFiles(root: URL): ReadonlyMap<string, string> {
  return new Map([
    ['docs/reference/configuration.md', configurationPage()],
    ['docs/reference/profiles.md', profilesPage()],
    ...Array.from(SOURCES, ([path, schemas]): [string, string] => {
      const rows = schemas.flatMap((schema) => rowsOf(schema))
      return [path, withComments(readFileSync(new URL(path, root), 'utf8'), rows)]
    }),
  ])
}
