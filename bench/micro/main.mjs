/*
 * Micro-benchmarks: `npm run bench:micro -- [SUITE …] [--quick] [--assert] [--json FILE]`
 *
 * Every file of suites/ is a suite and exports `suite`: see run.mjs for what it has to give. They run against
 * dist/, which is what users run: build first.
 *
 *   --quick    shorter rounds, fewer of them
 *   --assert   exit 1 when a claim of a suite does not hold
 *   --json     a file for what was found, for machines
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { runSuite } from './run.mjs'

const here = new URL('./suites/', import.meta.url)
const known = readdirSync(here).map((file) => basename(file, '.mjs'))

function usage(problem) {
  console.error(
    `bench: ${problem}; usage: npm run bench:micro -- [${known.join('|')} …] [--quick] [--assert] [--json FILE]`,
  )
  process.exit(2)
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        assert: { type: 'boolean', default: false },
        json: { type: 'string' },
      },
    })
  } catch (error) {
    return usage(error.message.split('. ')[0])
  }
}

const { values, positionals } = parse()
const unknown = positionals.filter((name) => !known.includes(name))
if (unknown.length > 0) usage(`there is no suite ${unknown.join(', ')}`)
if (!existsSync(new URL('../../dist/native/loader.js', import.meta.url)))
  usage('there is no dist/: run npm run build:ts')

const [cpu] = cpus()
console.log(
  `${cpu?.model.trim()} × ${cpus().length}, ${process.platform}-${process.arch}, Node ${process.versions.node}`,
)

const claims = []
const records = []
for (const name of positionals.length > 0 ? positionals : known) {
  const { suite } = await import(new URL(`${name}.mjs`, here).href)
  const measured = suite(values)
  // One of several parts gives each as soon as it is measured.
  const parts = Symbol.asyncIterator in measured ? measured : [await measured]
  for await (const part of parts) {
    const found = runSuite(part.name ?? name, part, values)
    claims.push(...found.claims)
    records.push(...found.records)
  }
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify({ claims, records }))
if (values.assert && claims.some(({ holds }) => !holds)) process.exitCode = 1
