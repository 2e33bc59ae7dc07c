import { readFileSync } from 'node:fs'
import { fileConfig } from '../file/schema.js'
import { withComments } from './comments.js'
import { jsonSchemaOf } from './json.js'
import { configurationPage, profilesPage } from './markdown.js'
import { INNER, rowsOf, SECTIONS } from './sections.js'

/** Sources whose options have doc comments made of what the schema says. */
const SOURCES = [
  'lib/buffers/options.ts',
  'lib/cache/abandon.ts',
  'lib/cache/group.ts',
  'lib/cache/schema.ts',
  'lib/compression/options.ts',
  'lib/config/file/schema.ts',
  'lib/config/schema.ts',
  'lib/http/schema.ts',
  'lib/resilience/limiter/options.ts',
  'lib/resilience/pressure/options.ts',
  'lib/store/file/options.ts',
]

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
  const rows = [...SECTIONS.map(({ schema }) => schema), ...INNER].flatMap((schema) => rowsOf(schema))
  return new Map([
    ['docs/reference/configuration.md', configurationPage()],
    ['docs/reference/profiles.md', profilesPage()],
    ['lib/config/drey.schema.json', `${JSON.stringify(fileSchema(), undefined, 2)}\n`],
    ...SOURCES.map((path): [string, string] => [
      path,
      withComments(readFileSync(new URL(path, root), 'utf8'), rows),
    ]),
  ])
}
