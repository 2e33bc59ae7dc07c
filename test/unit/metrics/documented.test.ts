import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CATALOGUE } from '../../../lib/metrics/catalogue/index.js'
import { BOUNDS } from '../../../lib/metrics/prometheus.js'

const text = readFileSync(new URL('../../../docs/reference/metrics.md', import.meta.url), 'utf8')

describe('docs/reference/metrics.md', () => {
  test('has every metric, as it is exported', () => {
    const rows = text
      .slice(text.indexOf('## All metrics'))
      .split('\n')
      .filter((line) => line.startsWith('| `'))
    const said = CATALOGUE.map(({ name, kind, unit, labels, help }) => {
      const named = labels.map((label) => `\`${label}\``).join(' ')
      return `| \`${name}\` | ${kind} | ${unit} | ${named} | ${help} |`
    })
    expect(rows).toEqual(said)
  })

  test('has the buckets', () => {
    const [, ends = ''] = /Buckets end at ([^:]*?), each moved/.exec(text) ?? []
    const seconds: number[] = []
    for (const [, list = '', unit = ''] of ends.matchAll(/((?:\d+(?:, | and )?)+) (µs|ms|s)/g)) {
      const scale = { µs: 1e-6, ms: 1e-3, s: 1 }[unit]!
      for (const [number] of list.matchAll(/\d+/g)) seconds.push(Number(number) * scale)
    }
    expect(seconds.map((bound) => bound.toPrecision(3))).toEqual(BOUNDS.map((bound) => bound.toPrecision(3)))
  })
})

test('names and helps are as the conventions want them', () => {
  const names = CATALOGUE.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const { name, kind, unit, help, labels } of CATALOGUE) {
    expect(name).toMatch(/^[a-z][a-z_]*[a-z]$/)
    expect(name.endsWith('_total'), name).toBe(kind === 'counter')
    if (unit === 'bytes') expect(name).toMatch(/_bytes(?:_total)?$/)
    if (unit === 'seconds') expect(name).toMatch(/_seconds$/)
    expect(help).toMatch(/^[A-Z].*\.$/)
    for (const label of labels) expect(label).toMatch(/^[a-z]+$/)
  }
})
