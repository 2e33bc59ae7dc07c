/*
 * A load on the proxy, and whether it bears it: `npm run load -- [--rate N]… [--seconds N] [--url URL [--admin URL]] [--generators N] [--json FILE]`
 *
 *   --rate        requests a second, 1000 by default; given more than once: one load after the other, on the same proxy
 *   --seconds     how long each takes, 60 by default
 *   --url         a proxy of yours instead of one of its own. Its origin has to be what `node bench/shared/origin-server.mjs PORT` serves
 *   --admin       that proxy's admin listener; without it nothing is known but what its clients see
 *   --generators  processes that ask, 1 by default: one asks 10,000 times a second in about a third of a core
 *   --json        the figures, for machines
 *
 * Open loop: each request has its time, and what it took counts from then, so that a proxy that stops is asked no less. 20,000 paths, most of them small, by
 * Zipf's law; every byte of every answer is compared. The proxy is `drey proxy` with a tier in memory and one on disk, both too small for all of it,
 * and an origin that takes 20 ms. Before the first load each path is asked for once, which no figure counts. Exits with 1 when an expectation
 * does not hold.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startProxy } from '../macro/http/drey.mjs'
import { startChild } from '../shared/child.mjs'
import { describeMachine, showMachine } from '../shared/machine.mjs'
import { startOrigin } from '../shared/origin.mjs'
import { digits, layOut, showBytes, showCount } from '../shared/table.mjs'
import { expectationsOf, rowsOf } from './expectations.mjs'
import { mixItems } from './mix.mjs'
import { summaryOf } from './summary.mjs'
import { watch } from './watch.mjs'

const USAGE =
  'npm run load -- [--rate N]… [--seconds N] [--url URL [--admin URL]] [--generators N] [--json FILE]'
const MEMORY = '48MiB'
const DISK = '192MiB'
const ORIGIN_MS = 20
/** Of all generators together. */
const CONNECTIONS = 256
const TOGETHER = 32

function usage(problem) {
  process.stderr.write(`load: ${problem}; usage: ${USAGE}\n`)
  process.exit(2)
}

function numberOf(name, given) {
  const value = Number(given)
  if (!Number.isFinite(value) || value <= 0) usage(`--${name} is ${given}; want a number above 0`)
  return value
}

function urlOf(name, given) {
  if (given === undefined) return undefined
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url?.protocol !== 'http:') usage(`--${name} is ${given}; want http://HOST:PORT`)
  return url.origin
}

function readFlags() {
  try {
    const { values } = parseArgs({
      options: {
        rate: { type: 'string', multiple: true, default: ['1000'] },
        seconds: { type: 'string', default: '60' },
        url: { type: 'string' },
        admin: { type: 'string' },
        generators: { type: 'string', default: '1' },
        json: { type: 'string' },
      },
    })
    return values
  } catch (error) {
    return usage(error.message.split('. ')[0])
  }
}

const values = readFlags()
const rates = values.rate.map((rate) => numberOf('rate', rate))
const seconds = numberOf('seconds', values.seconds)
const generatorCount = Math.ceil(numberOf('generators', values.generators))
const given = urlOf('url', values.url)
const givenAdmin = urlOf('admin', values.admin)
if (givenAdmin !== undefined && given === undefined) usage('--admin is of the proxy that --url names')
if (!existsSync(new URL('../../dist/http/index.js', import.meta.url)))
  usage('drey is not built yet: run npm run build:ts')

const say = (text = '') => process.stdout.write(`${text}\n`)
/** What is to be given back, the last first. */
const ends = []

/** The proxy that is to bear it. */
async function proxyOf() {
  if (given !== undefined) return { url: given, admin: givenAdmin }
  const dir = mkdtempSync(join(tmpdir(), 'drey-load-'))
  ends.push(() => rmSync(dir, { recursive: true, force: true }))
  const origin = await startOrigin({ delayMs: ORIGIN_MS })
  ends.push(origin.stop)
  const options = ['--dir', join(dir, 'store'), '--disk', DISK, '--admin', '0']
  const proxy = await startProxy(origin.url, { memory: MEMORY, options })
  ends.push(proxy.stop)
  return { url: proxy.url, admin: proxy.admin, pid: proxy.pid, dir: join(dir, 'store') }
}

/** Has every generator do its part; what they found. */
function each(generators, type, how) {
  return Promise.all(
    generators.map((generator, part) => {
      generator.send({ type, ...how(part) })
      return generator.receive('done')
    }),
  )
}

async function run() {
  const machine = describeMachine()
  say(showMachine(machine))
  const proxy = await proxyOf()
  const connections = Math.ceil(CONNECTIONS / generatorCount)
  const generators = Array.from({ length: generatorCount }, (_, at) =>
    startChild(new URL('./generator.mjs', import.meta.url), {
      args: [proxy.url, String(at + 1), String(connections)],
    }),
  )
  ends.push(...generators.map(({ stop }) => stop))
  await Promise.all(generators.map((generator) => generator.receive('ready')))

  const items = mixItems()
  const total = items.reduce((sum, { size }) => sum + size, 0)
  say(
    `${showCount(items.length)} paths, ${showBytes(total)}${given === undefined ? `, before ${MEMORY} of memory and ${DISK} of disk` : ''}`,
  )
  const together = Math.ceil(TOGETHER / generatorCount)
  const filled = await each(generators, 'fill', (part) => ({ part, parts: generatorCount, together }))
  const before = summaryOf(filled, { rate: Number.NaN, proxy: {} })
  if (before.failed > 0) throw new Error(`asked for each once: ${JSON.stringify(before.errors)}`)
  say(`asked for each once in ${digits(before.seconds)} s`)

  const loads = []
  for (const rate of rates) {
    const watching = await watch(proxy)
    const parts = await each(generators, 'load', () => ({ rate: rate / generatorCount, seconds }))
    const load = summaryOf(parts, { rate, proxy: await watching.stop() })
    const claims = expectationsOf(load, given === undefined)
    loads.push({ ...load, claims })
    const { rows, said } = rowsOf(load)
    say()
    say(layOut([`${showCount(rate)} a second`, 'requests', 'p50', 'p90', 'p99', 'p99.9', 'longest'], rows))
    say(`  ${said}`)
    say()
    for (const { claim, measured, holds } of claims) {
      say(`  ${holds ? 'holds ' : 'BROKEN'}  ${claim}: ${measured}`)
    }
  }
  if (values.json !== undefined) {
    const report = { machine, at: new Date().toISOString(), loads: loads.map(withoutSamples) }
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`)
  }
  if (loads.some(({ claims }) => claims.some(({ holds }) => !holds))) process.exitCode = 1
}

function withoutSamples({ proxy: { samples, ...proxy }, ...load }) {
  return { ...load, proxy: { ...proxy, samples: samples.length } }
}

async function stopAll() {
  while (ends.length > 0) await ends.pop()()
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopAll().then(() => process.exit(130))
  })
}

try {
  await run()
} catch (error) {
  process.stderr.write(`load: ${error.message}\n`)
  process.exitCode = 1
} finally {
  await stopAll()
}
