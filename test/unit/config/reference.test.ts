import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { fileSchema, madeFiles } from '../../../lib/config/document/files.js'
import { INNER, SECTIONS } from '../../../lib/config/document/sections.js'
import { optionsWithin } from '../../../lib/config/option.js'
import { type Row, rowsOf } from '../../../lib/config/rows.js'
import { POLICY_NAMES } from '../../../lib/policy/policy.js'

const ROOT = new URL('../../../', import.meta.url)

test.each([...madeFiles(ROOT)])('%s is what the schema says: npm run docs:config', (path, text) => {
  expect(readFileSync(new URL(path, ROOT), 'utf8')).toBe(text)
})

const rows: Array<readonly [string, Row]> = [
  ...SECTIONS,
  ...INNER.map((schema, at) => ({ title: `inner ${at}`, schema })),
].flatMap(({ title, schema }) => rowsOf(schema).map((row) => [`${title}: ${row.path}`, row] as const))

describe('every option', () => {
  test.each(rows)('%s says what it does, and whether it is live or why not', (_, { facts, group }) => {
    expect(facts.about).toMatch(/^.{10,}\.$/s)
    expect(facts.live === true || facts.live.length > 10).toBe(true)
    // A default that is said in words would be said twice.
    if (!group) expect(facts.about).not.toMatch(/\bdefaults? (?:is|of)\b|\(default\)|\bDefault:? /)
  })

  test.each(rows.filter(([, row]) => row.default !== undefined))(
    '%s has a default that it would take',
    (_, row) => {
      const inner = (row.schema as z.ZodDefault).unwrap() as z.ZodType
      expect(inner.safeParse(row.default).success).toBe(true)
    },
  )
})

/** Values that hardly any option takes; those that do say so. */
const NONSENSE: readonly unknown[] = [
  null,
  Symbol('s'),
  1n,
  -1,
  Number.NaN,
  '',
  'nonsense',
  [[]],
  () => 1,
  { no: 1 },
]

function takes(schema: z.ZodType, value: unknown): boolean {
  return schema.safeParse(value).success
}

/** What an option takes of the nonsense. */
const TAKEN: Readonly<Record<string, (value: unknown) => boolean>> = {
  listen: (value) => value === -1 || typeof value === 'string',
  origin: (value) => typeof value === 'string',
  configFile: (value) => value === 'nonsense',
  dir: (value) => value === 'nonsense',
  accessLog: (value) => value === 'nonsense',
  admin: (value) => value === 'nonsense',
  adminToken: (value) => value === 'nonsense',
  name: (value) => value === 'nonsense',
  level: (value) => typeof value === 'number',
  $schema: (value) => typeof value === 'string',
  skipTypes: () => false,
}

describe('every option refuses what is wrong', () => {
  test.each(rows)('%s', (_, { path, schema }) => {
    const name = path.slice(path.lastIndexOf('.') + 1)
    for (const value of NONSENSE) {
      if (TAKEN[name]?.(value)) continue
      expect(takes(schema, value), `${path} = ${String(value)}`).toBe(false)
    }
  })

  test.each(rows)('%s may be left out, or says that it may not', (_, { schema, facts, default: value }) => {
    const optional = facts.otherwise !== undefined || value !== undefined || takes(schema, undefined)
    expect(takes(schema, undefined)).toBe(optional)
  })
})

describe('the JSON schema', () => {
  const json = fileSchema() as {
    readonly $schema: string
    readonly additionalProperties: boolean
    readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }

  test('is of draft 2020-12, and closed', () => {
    expect(json.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
    expect(json.additionalProperties).toBe(false)
    expect(json.properties['version']).toMatchObject({ const: 1 })
  })

  test('has what JSON can say, and nothing else', () => {
    const names = Object.keys(json.properties)
    expect(names).toContain('tiers')
    expect(names).not.toContain('configFile')
    const proxy = json.properties['proxy']!['properties'] as object
    expect(Object.keys(proxy)).toContain('staleIfError')
    expect(Object.keys(proxy)).not.toContain('dispatcher')
    const text = JSON.stringify(json)
    expect(text).toContain(JSON.stringify({ enum: POLICY_NAMES }).slice(1, -1))
    expect(text).not.toContain('"default":null')
  })
})

test('an option that is a value or options tells of those that it has', () => {
  const bufferPool = SECTIONS[0]!.schema.shape['bufferPool'] as z.ZodDefault
  expect(Object.keys(optionsWithin(bufferPool.unwrap())!.shape)).toContain('maxBytes')
})
