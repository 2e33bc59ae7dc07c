/*
 * Benchmarks of whole processes: `npm run bench:macro -- [NAME …] [--quick] [--assert] [--json FILE]`
 *
 *   fan-out       200 readers on one fill: bytes, resident memory, and whether a slow one slows the others
 *   proxy-hit     requests per second on a hit, beside a bare http server with the same head and body (wants wrk)
 *   proxy-cost    what such a hit costs beyond the bare server, by profiles of both (wants wrk)
 *   metrics-cost  requests per second on a hit with metrics and without (wants wrk)
 *   first-byte    first-byte time on a miss, beside the origin's own
 *   memory-bound  resident memory while ten times maxBytes are written, and the hit ratio after values have changed size
 *   copies        a minute of 200 copies and tees at once, some aborted: every byte, every Buffer back, memory flat
 *   pressure      a process in a control group whose memory is taken: levels, what the store does, failures (wants Linux, and root)
 *   fill          a body of 1 GiB through memory and a disk to three readers, beside tee(): speed, memory, and that it is kept
 *   frozen-tier   requests that miss memory while the disk stands still, beside the origin's own time; the breaker; a flood of 100 keys
 *   disk-churn    blocks of the disk while twenty times maxBytes are written, both amplifications, and get beside reclaim
 *   served        what a GiB that is served costs the collector, with the buffer pool and without
 *   advice        what cache.advice() promises to three caches that are used as they should not be, and what doing it brings
 *
 *   --quick     fewer and shorter rounds
 *   --assert    exit 1 when a claim does not hold
 *   --json      the figures, for machines
 *
 * They run against dist/, which is what users run: build first.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { describeMachine, showMachine } from '../shared/machine.mjs'

const KNOWN = [
  'fan-out',
  'proxy-hit',
  'proxy-cost',
  'metrics-cost',
  'first-byte',
  'memory-bound',
  'copies',
  'pressure',
  'fill',
  'frozen-tier',
  'disk-churn',
  'served',
  'advice',
]

function usage(problem) {
  process.stderr.write(
    `bench: ${problem}; usage: npm run bench:macro -- [${KNOWN.join('|')} …] [--quick] [--assert] [--json FILE]\n`,
  )
  process.exit(2)
}

function readFlags() {
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

const { values, positionals } = readFlags()
const unknown = positionals.filter((name) => !KNOWN.includes(name))
if (unknown.length > 0) usage(`there is no ${unknown.join(', ')}`)
if (!existsSync(new URL('../../dist/http/index.js', import.meta.url))) {
  usage('drey is not built yet: run npm run build:ts')
}

const say = (text = '') => process.stdout.write(`${text}\n`)
const machine = describeMachine()
say(showMachine(machine))

const report = {
  machine,
  quick: values.quick,
  at: new Date().toISOString(),
  benches: {},
  claims: [],
  records: [],
}
let broken = 0
for (const name of positionals.length > 0 ? positionals : KNOWN) {
  const { run } = await import(new URL(`${name}.mjs`, import.meta.url).href)
  say(`\n${name}`)
  const {
    figures,
    claims,
    records = [],
  } = await run({ quick: values.quick, say }).catch((error) => {
    process.stderr.write(`bench: ${name}: ${error.message}\n`)
    process.exit(1)
  })
  say()
  for (const { claim, measured, holds } of claims) {
    say(`  ${holds ? 'holds ' : 'BROKEN'}  ${claim}: ${measured}`)
    if (!holds) broken += 1
  }
  report.benches[name] = { figures, claims }
  report.claims.push(
    ...claims.map(({ claim, measured, holds }) => ({ what: claim, actual: measured, holds })),
  )
  report.records.push(...records)
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
if (values.assert && broken > 0) process.exitCode = 1
