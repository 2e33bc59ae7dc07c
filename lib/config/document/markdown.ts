import { PROFILE_NAMES } from '../profile-names.js'
import { PROFILES, showSetting } from '../profiles.js'
import { type Row, rowsOf } from '../rows.js'
import { jsonSchemaOf } from './json.js'
import { SECTIONS } from './sections.js'
import { defaultSentence, showDefault } from './text.js'

const MADE = '<!-- Made by `npm run docs:config` out of lib: what is written here by hand is lost. -->'

/** docs/reference/configuration.md */
export function configurationPage(): string {
  const lines = [
    '# Configuration',
    '',
    MADE,
    '',
    'Every option, as the schema has it that checks it. Sizes are a number of bytes or text such as `64KiB`, `2GiB`; durations are milliseconds or text such as',
    '`30s`, `5m`. *Live* says whether `cache.configure` (of a proxy: `proxy.configure`), or a change of a file that is watched, takes effect while it runs; else why not.',
    'The [guide](../guides/configuration.md) has worked examples, [profiles.md](profiles.md) what a profile sets. An error has code `ERR_DREY_CONFIG` and a',
    'line for each option that is wrong: its path, what was given, what would do.',
    '',
    'A configuration file is `{ "version": 1 }`, the options of `createCache` but for `configFile` and `watch`, and under `proxy` those of `createProxy` but for these and',
    '`profile` and `cache`. Editors complete and check it by `"$schema"`: `./node_modules/drey/dist/drey.schema.json`, in code `drey/schema.json`.',
    '',
  ]
  for (const { title, intro, schema } of SECTIONS) {
    lines.push(
      `## ${title}`,
      '',
      intro,
      '',
      '| option | may be | default | live | |',
      '| --- | --- | --- | --- | --- |',
    )
    for (const row of rowsOf(schema)) lines.push(rowLine(row))
    lines.push('')
  }
  return `${lines.join('\n').trimEnd()}\n`
}

/** docs/reference/profiles.md */
export function profilesPage(): string {
  const lines = [
    '# Profiles',
    '',
    MADE,
    '',
    'A profile is a set of other defaults. Whatever option is given counts instead, leaf by leaf: `{ profile: "low-memory", timeouts: { fill: "1h" } }` has the rest of',
    '`timeouts` from the profile.',
    '',
    'It is the option `profile` of `createCache`, of `createProxy` and of a configuration file; where that is not given, the environment variable `DREY_PROFILE`; where that',
    'is not set, `NODE_ENV` when it is `development`, `production` or `test`; else `production`.',
    '',
    '`memory.*` and `file.*` are for tiers that are given as data (`{ store: "memory" }`, `{ store: "file", ... }`) and for the memory store that a cache has by default. A store that',
    'a program makes itself, `memoryStore()`, has what the program says. In a group, `background`, `bufferPool` and `pressure` are what the group says.',
    '',
    'A proxy has timeouts of its own (`originTimeout`, `clientTimeout`, `shutdownTimeout`), which count instead of those of a profile.',
    '',
    'Test runners set `NODE_ENV=test`, so a cache in a test has the profile `test`. That changes bounds and how long a close may take, and no answer; a test that keeps values of',
    'more than 8 MiB in memory has to give `maxBytes`, or set `DREY_PROFILE=production`.',
    '',
  ]
  for (const name of PROFILE_NAMES) {
    const { about, settings } = PROFILES[name]
    lines.push(`## ${name}`, '', about, '')
    if (settings.length === 0) {
      lines.push('It sets nothing.', '')
      continue
    }
    lines.push('| option | is | because |', '| --- | --- | --- |')
    for (const { path, value, why } of settings) {
      lines.push(`| \`${path}\` | ${showSetting(value)} | ${why} |`)
    }
    lines.push('')
  }
  return `${lines.join('\n').trimEnd()}\n`
}

function rowLine(row: Row): string {
  const { path, facts, group } = row
  const live = facts.live === true ? 'yes' : `no: ${facts.live}`
  if (group) return `| \`${path}\` | options | | | ${cell(facts.about)} |`
  return `| \`${path}\` | ${mayBe(row)} | ${cell(defaultCell(row))} | ${cell(live)} | ${cell(facts.about)} |`
}

function defaultCell({ facts, default: value }: Row): string {
  if (facts.otherwise !== undefined) return facts.otherwise
  return defaultSentence(facts, value) === '' ? '*has to be given*' : showDefault(facts, value)
}

type Json = Readonly<Record<string, unknown>>

/** What may be given, in a word or two. */
function mayBe({ path, facts, schema }: Row): string {
  if (path === 'tiers') return 'list of tiers'
  if (path === 'cache' || path === 'proxy') return 'options'
  if (facts.code) return 'object'
  const words = wordsOf(jsonSchemaOf(schema), facts.unit)
  return [...new Set(words)].join(', ')
}

function wordsOf(json: Json, unit: string | undefined): string[] {
  const {
    type,
    anyOf,
    minimum,
    maximum,
    items,
    const: one,
  } = json as Readonly<Partial<Record<string, unknown>>>
  const values = json['enum']
  if (Array.isArray(values)) return values.map((value) => `\`${value}\``)
  if (one !== undefined) return [`\`${one}\``]
  if (Array.isArray(anyOf)) {
    if (unit !== undefined) return [unit === 'bytes' ? 'size' : 'duration']
    return (anyOf as Json[]).flatMap((part) => wordsOf(part, undefined))
  }
  if (type === 'array') return [`list of ${wordsOf((items ?? {}) as Json, unit).join(', ')}`]
  if (type === 'object') return ['options']
  if (type === 'boolean') return ['`true`', '`false`']
  if (type === 'string') return ['text']
  if (type === 'integer' || type === 'number') {
    const number = type === 'integer' ? 'whole number' : 'number'
    if (minimum === undefined) return [number]
    const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum
    return [most === undefined ? `${number} from ${minimum}` : `${number} ${minimum} to ${most}`]
  }
  return ['object']
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|')
}
