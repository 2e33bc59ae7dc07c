/*
 * The first run: `npm start [-- --once]`
 *
 * A sample origin with real files, the caching proxy in front of it, a load, a table; then the origin goes away
 * and the answers go on, also after a restart of the proxy, from its directory. Stays up to be tried by hand; with --once it ends.
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startChild } from '../shared/child.mjs'
import { randomFrom } from '../shared/random.mjs'
import { showBytes, showCount } from '../shared/table.mjs'
import { createVerifier, readCatalogue } from './catalogue.mjs'
import { ask, askStatus } from './load.mjs'
import { startProgress } from './progress.mjs'
import { showNative, showResult, showTries } from './report.mjs'
import { shuffled, zipf } from './zipf.mjs'

/** Asked for directly, and again through the cache, at the same pace. */
const REQUESTS = 6000
const PER_SECOND = 800
const CONNECTIONS = 128
const EXPONENT = 0.99
const SEED = 1
const MEMORY = '256MiB'
const DISK = '1GiB'
/** Requests for other files before that, not counted, so that start-up is not what is measured. */
const WARM_UP = 400
/** Requests after the origin went away, as fast as a few clients can. */
const AFTERWARDS = 4000
const CLIENTS = 16

const children = []
/** The second tier of the proxy, for as long as this runs. */
const dir = mkdtempSync(join(tmpdir(), 'drey-start-'))
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))

/** A child that is stopped with this process, whatever ends it. */
async function start(script, args = []) {
  const child = startChild(new URL(script, import.meta.url), { args })
  children.push(child)
  return { child, ready: await child.receive('ready') }
}

async function stopAll() {
  await Promise.all(children.map((child) => child.stop()))
}

function say(text = '') {
  process.stdout.write(`${text}\n`)
}

async function run(once) {
  const catalogue = readCatalogue()
  const items = shuffled(catalogue, randomFrom(SEED))
  const total = items.reduce((sum, { size }) => sum + size, 0)
  const draw = zipf(items.length, EXPONENT, randomFrom(SEED + 1))
  const requests = Array.from({ length: REQUESTS }, () => items[draw()])
  const verify = createVerifier()

  const origin = await start('origin.mjs')
  const first = await start('proxy.mjs', [origin.ready.url, MEMORY, dir, DISK])
  let proxy = first
  const port = new URL(origin.ready.url).port
  const served = `${showCount(items.length)} files of this checkout, ${showBytes(total)}`
  say(`sample origin  ${origin.ready.url}  ${served}, each 30 ms late`)
  say(`drey proxy     ${proxy.ready.url}  ${MEMORY} of memory, ${DISK} of disk`)
  say(showNative(proxy.ready.native))
  say()

  const work = (label, url, list, how) =>
    ask(url, list, { ...how, verify, onDone: startProgress(process.stdout, label, list.length) })
  const steady = { rate: PER_SECOND, clients: CONNECTIONS }
  const asked = new Set(requests)
  const [never, ...others] = items.filter((item) => !asked.has(item))
  for (const { url } of [origin.ready, proxy.ready])
    await ask(url, others.slice(0, WARM_UP), { ...steady, verify })
  const direct = await work('direct           ', origin.ready.url, requests, steady)
  const cached = await work('through the cache', proxy.ready.url, requests, steady)
  proxy.child.send({ type: 'stats' })
  const { stats } = await proxy.child.receive('stats')
  say()
  say(`${showCount(REQUESTS)} requests, ${PER_SECOND} a second, spread by Zipf's law (${EXPONENT}):`)
  say()
  say(showResult(direct, cached, stats.tiers[0]))
  say()

  await origin.child.stop()
  const kept = requests.slice(-AFTERWARDS)
  const after = await work('origin stopped   ', proxy.ready.url, kept, { clients: CLIENTS })
  const status = await askStatus(proxy.ready.url, never.path)
  const hits = after.outcomes.filter((outcome) => outcome === 'hit').length
  const perSecond = showCount(kept.length / (after.elapsedMs / 1000))
  say()
  say(
    `The origin is gone: ${showCount(hits)} of ${showCount(kept.length)} answered from memory, ${perSecond} a second;`,
  )
  say(`what was never asked for says ${status}.`)
  await first.child.stop()
  proxy = await start('proxy.mjs', [origin.ready.url, MEMORY, dir, DISK, new URL(first.ready.url).port])
  const warm = await work('proxy restarted  ', proxy.ready.url, kept, { clients: CLIENTS })
  proxy.child.send({ type: 'stats' })
  const { stats: restarted } = await proxy.child.receive('stats')
  const warmHits = warm.outcomes.filter((outcome) => outcome === 'hit').length
  say()
  say(
    `A proxy that was restarted, the origin still gone: ${showCount(warmHits)} of ${showCount(kept.length)} answered, of ${showCount(restarted.tiers[1].entries)} files on the disk.`,
  )
  const bodies = direct.totalMs.length + cached.totalMs.length + after.totalMs.length + warm.totalMs.length
  say(
    `${showCount(bodies)} bodies, ${showBytes(direct.bytes + cached.bytes + after.bytes + warm.bytes)}: every byte as on disk.`,
  )
  if (once) return stopAll()

  const again = await start('origin.mjs', [port])
  const example = requests.find(({ size }) => size > 1000 && size < 10_000).path
  const tries = {
    origin: again.ready.url,
    proxy: proxy.ready.url,
    example,
    fresh: never.path,
    originPid: again.child.pid,
  }
  say()
  say(showTries(tries))
  // The children keep this process up until Ctrl-C.
}

function readFlags() {
  try {
    return parseArgs({ options: { once: { type: 'boolean', default: false } } }).values
  } catch (error) {
    process.stderr.write(`start: ${error.message.split('. ')[0]}; usage: npm start [-- --once]\n`)
    return process.exit(2)
  }
}

const { once } = readFlags()
if (!existsSync(new URL('../../dist/http/index.js', import.meta.url))) {
  process.stderr.write('start: drey is not built yet: run npm run build:ts, then npm start again\n')
  process.exit(1)
}

let stopping = false
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopping = true
    stopAll().then(() => process.exit(0))
  })
}

try {
  await run(once)
} catch (error) {
  // What fails because it is being stopped is no failure.
  if (!stopping) {
    process.stderr.write(`start: ${error.message}\n`)
    await stopAll()
    process.exit(1)
  }
}
