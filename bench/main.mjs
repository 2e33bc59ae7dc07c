/*
 * All benchmarks: `npm run bench -- [--quick] [--only NAME]… [--list]`
 *
 * Each suite runs in a process of its own, and its contestants (native path, js path, peers) take turns within it. Writes, into bench/results/:
 *
 *   latest.json   every sample of every contestant, the machine, what failed
 *   latest.md     tables
 *   latest.html   the same as one page with charts, which needs nothing else
 *
 *   --quick   the suites that tell most, smaller, within two minutes
 *   --only    that suite alone; may be given more than once
 *   --list    names the suites
 *
 * Peers want `npm --prefix bench/peers ci`, hit ratios DREY_TRACES, the proxy wrk; a suite that lacks what it wants is told of and left out. It runs against
 * dist/ and build/, which is what users run: build first. Exits with 1 when
 * a suite fails; `npm run bench:check` compares with what was.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measureAll } from './measure.mjs'
import { markdownOf } from './report/markdown.mjs'
import { pageOf } from './report/page.mjs'
import { describeMachine, showMachine } from './shared/machine.mjs'
import { SUITES } from './suites.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const results = join(here, 'results')

function usage(problem) {
  process.stderr.write(`bench: ${problem}; usage: npm run bench -- [--quick] [--only NAME]… [--list]\n`)
  process.exit(2)
}

function readFlags() {
  try {
    return parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        list: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    return usage(error.message.split('. ')[0])
  }
}

const { quick, only, list } = readFlags()
const unknown = only.filter((name) => !SUITES.some((suite) => suite.name === name))
if (unknown.length > 0) {
  usage(`there is no suite ${unknown.join(', ')}; want ${SUITES.map(({ name }) => name).join(', ')}`)
}
if (list) {
  for (const { name, quick: isQuick } of SUITES) process.stdout.write(`${name}${isQuick ? ', quick' : ''}\n`)
  process.exit(0)
}
if (!existsSync(join(here, '../dist/index.js'))) usage('drey is not built yet: run npm run build:ts')

const chosen = SUITES.filter(({ name, quick: isQuick }) =>
  only.length > 0 ? only.includes(name) : isQuick || !quick,
)
const machine = describeMachine()
process.stdout.write(`${showMachine(machine)}\n`)
const report = { machine, quick, at: new Date().toISOString(), suites: await measureAll(chosen, { quick }) }

mkdirSync(results, { recursive: true })
const pictures = report.suites.some(({ name }) => name === 'hits')
  ? readdirSync(results)
      .filter((name) => /^hits-.*\.svg$/.test(name))
      .map((name) => ({ name: name.slice(5, -4), svg: readFileSync(join(results, name), 'utf8') }))
  : []
writeFileSync(join(results, 'latest.json'), `${JSON.stringify(report, null, 1)}\n`)
writeFileSync(join(results, 'latest.md'), markdownOf(report))
writeFileSync(join(results, 'latest.html'), pageOf(report, pictures))

const failed = report.suites.filter((suite) => suite.failed !== undefined)
const broken = report.suites.flatMap(({ claims }) => claims).filter(({ holds }) => !holds)
process.stdout.write(
  `\n${report.suites.length} suites in ${Math.round(report.suites.reduce((sum, { seconds }) => sum + seconds, 0))} s, ${failed.length} failed, ${broken.length} claims do not hold; bench/results/latest.{json,md,html}\n`,
)
for (const { name, failed: why } of failed) process.stderr.write(`bench: ${name}: ${why}\n`)
if (failed.length > 0) process.exitCode = 1
