/*
 * Whether something has become slower: `npm run bench:check [-- --renew WHY]`
 *
 * Runs the quick set and compares its ratios with those of bench/baseline.json. A ratio is of two contestants that took turns in one run, so a slower
 * machine, or a busy one, is slower for both of them. What is compared is its logarithm. How far it strays from run to run is known from the runs
 * that made the baseline, and how far from round to round from this run; a ratio that is worse by more than three times both together, and
 * by more than a fifth, is measured again, twice, and is a regression when the middle of the three is still worse. Exits with 1 then.
 *
 *   --renew   makes the baseline anew, of five runs, and writes down why it had to be
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { measureAll } from './measure.mjs'
import { describeMachine, showMachine } from './shared/machine.mjs'
import { ratioOf } from './shared/record.mjs'
import { median } from './shared/statistics.mjs'
import { digits } from './shared/table.mjs'
import { SUITES } from './suites.mjs'

const BASELINE = new URL('baseline.json', import.meta.url)
const RUNS = 5
/** Less than a fifth is not worth a red build, whatever the noise. */
const LEAST = Math.log(1.2)
const SIGMAS = 3
/** Hit ratios are exact, and have tests of their own. */
const TIMED = SUITES.filter(({ quick, name }) => quick && name !== 'hits')

const { values } = parseArgs({ options: { renew: { type: 'string' } } })

/** By name, the logarithm of each ratio and how uncertain this run is of it. */
async function measureRatios(suites) {
  const found = await measureAll(suites, { quick: true, silent: true })
  const failed = found.filter((suite) => suite.failed !== undefined)
  for (const { name, failed: why } of failed) process.stderr.write(`bench: ${name}: ${why}\n`)
  if (failed.length > 0) process.exit(1)
  const ratios = new Map()
  for (const { name: suite, records } of found) {
    for (const record of records) {
      for (const { of } of record.ratios) {
        const { value, low, high, rounds } = ratioOf(record, of)
        // The middle half of a normal distribution is 1.35 of its deviations wide, and a median strays 1.25 times as far as a mean.
        const error = (1.25 * Math.log(high / low)) / 1.35 / Math.sqrt(rounds)
        ratios.set(`${record.id}: ${of.join(' ÷ ')}`, { suite, log: Math.log(value), error })
      }
    }
  }
  return ratios
}

async function renew(why) {
  const runs = []
  for (let run = 1; run <= RUNS; run += 1) {
    process.stdout.write(`run ${run} of ${RUNS}\n`)
    runs.push(await measureRatios(TIMED))
  }
  const ratios = Object.fromEntries(
    [...runs[0].keys()].map((name) => {
      const logs = runs.map((run) => run.get(name).log)
      const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length
      const deviation = Math.sqrt(logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1))
      return [name, { ratio: rounded(Math.exp(median(logs))), deviation: rounded(deviation) }]
    }),
  )
  const baseline = {
    why,
    at: new Date().toISOString().slice(0, 10),
    machine: describeMachine(),
    runs: RUNS,
    ratios,
  }
  writeFileSync(BASELINE, `${JSON.stringify(baseline, null, 2)}\n`)
  process.stdout.write(`${Object.keys(ratios).length} ratios kept in bench/baseline.json\n`)
}

const rounded = (value) => Number(value.toPrecision(4))

/** By how much it is worse than it may be; undefined when it is not. */
function excess({ ratio, deviation }, { log, error }) {
  const worse = Math.log(ratio) - log
  return worse > Math.max(LEAST, SIGMAS * Math.hypot(deviation, error)) ? worse : undefined
}

async function check() {
  if (!existsSync(BASELINE)) {
    process.stderr.write('bench: there is no baseline: npm run bench:check -- --renew "the first one"\n')
    process.exit(2)
  }
  const baseline = JSON.parse(readFileSync(BASELINE, 'utf8'))
  process.stdout.write(`${showMachine(describeMachine())}; baseline of ${baseline.at}: ${baseline.why}\n`)
  const first = await measureRatios(TIMED)
  const known = [...first].filter(([name]) => name in baseline.ratios)
  const suspects = known.filter(([name, found]) => excess(baseline.ratios[name], found) !== undefined)
  const names = new Set(suspects.map(([, { suite }]) => suite))
  const again = []
  for (let more = 0; more < 2 && names.size > 0; more += 1) {
    process.stdout.write(`again: ${[...names].join(', ')}\n`)
    again.push(await measureRatios(TIMED.filter(({ name }) => names.has(name))))
  }
  const slower = suspects.flatMap(([name, found]) => {
    const logs = [found, ...again.map((run) => run.get(name))].map(({ log }) => log)
    const worse = excess(baseline.ratios[name], { log: median(logs), error: found.error })
    return worse === undefined ? [] : [{ name, was: baseline.ratios[name].ratio, is: Math.exp(median(logs)) }]
  })
  for (const { name, was, is } of slower) {
    process.stderr.write(`slower: ${name}: ${digits(is)} ×, was ${digits(was)} ×\n`)
  }
  const missing = Object.keys(baseline.ratios).filter((name) => !first.has(name))
  if (missing.length > 0) process.stdout.write(`not measured: ${missing.join('; ')}\n`)
  process.stdout.write(
    `${known.length} ratios compared, ${suspects.length} measured again, ${slower.length} slower, ${missing.length} of the baseline not measured\n`,
  )
  if (slower.length > 0) process.exitCode = 1
}

if (values.renew === undefined) await check()
else if (values.renew.trim() === '') {
  process.stderr.write('bench: --renew wants the reason, which is kept: --renew "the new slab is faster"\n')
  process.exitCode = 2
} else await renew(values.renew)
