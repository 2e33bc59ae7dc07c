import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createCache, memoryStore, nativeStatus } from '../../dist/index.js'
import { digits, layOut, showMiB, showMs, showPercent } from '../shared/table.mjs'
import { incompressible, scanPolluted, tooMany } from './advice/workloads.mjs'

/*
 * Whether what `cache.advice()` promises comes true: caches that are used as they should not be are asked for advice, do what comes first of it, and are
 * measured again. And how late the event loop was while advice was looked for. `DREY_NATIVE=0` measures the js engines.
 */

const MiB = 2 ** 20
const WITHIN = 0.2
const WRITES = 1000

const CASES = [
  {
    name: 'scan-polluted',
    wants: 'policy',
    maxBytes: 64 * MiB,
    tier: { policy: 'lru' },
    workload: scanPolluted,
  },
  { name: 'too small', wants: 'memory', maxBytes: 16 * MiB, tier: {}, workload: tooMany },
  {
    name: 'incompressible',
    wants: 'compression',
    maxBytes: 64 * MiB,
    tier: { compression: 'lz4' },
    workload: incompressible,
  },
]

async function ask(cache, next, requests) {
  for (let at = 0; at < requests; at += 1) {
    const { key, body } = next()
    if (cache.getSync(key) === undefined) await cache.fetch(key, () => ({ body }))
  }
}

/** What the figure of a recommendation is, over `requests` more. */
async function measured(cache, id, next, requests) {
  const before = cache.stats()
  if (id === 'compression') {
    for (let at = 0; at < WRITES; at += 1) {
      const { key, body } = next()
      await cache.set(key, body)
    }
    const after = cache.stats()
    const [was, is] = [before, after].map(({ tiers: [{ compression }] }) => compression)
    const chunks = (of) => of.compressed + of.unpaid + of.skipped
    return (is.unpaid - was.unpaid) / Math.max(1, chunks(is) - chunks(was))
  }
  await ask(cache, next, requests)
  const after = cache.stats()
  const hits = after.hits - before.hits
  return hits / (hits + after.misses - before.misses)
}

async function stage({ name, wants, maxBytes, tier, workload }, requests) {
  const cache = await createCache({ tiers: [memoryStore({ maxBytes, ...tier })], pressure: false })
  try {
    const next = workload(maxBytes)
    await ask(cache, next, requests)
    const before = await measured(cache, wants, next, requests)
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const began = performance.now()
    const { recommendations, requests: sample } = await cache.advice()
    const took = performance.now() - began
    delay.disable()
    const [first] = recommendations.filter(({ level }) => level === 'advice')
    if (first?.change === undefined) throw new Error(`${name}: no change was named`)
    await cache.configure({ tiers: [{ [first.change.option.split('.').at(-1)]: first.change.to }] })
    await ask(cache, next, requests)
    const after = await measured(cache, first.id, next, requests)
    return { name, wants, first, sample, before, after, took, delay: delay.max / 1e6 }
  } finally {
    await cache.close()
  }
}

const shown = (value) => (typeof value === 'number' ? showMiB(value) : value)

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const requests = quick ? 40_000 : 400_000
  const smaller = quick ? 8 : 1
  say(
    `  ${nativeStatus().loaded ? 'native' : 'js'} engines; ${requests.toLocaleString('en-US')} requests before, and after the change`,
  )
  const results = []
  for (const one of CASES) results.push(await stage({ ...one, maxBytes: one.maxBytes / smaller }, requests))
  say()
  say(
    layOut(
      [
        'workload',
        'advice',
        'figure now',
        'measured',
        'promised',
        'got',
        'sample',
        'took',
        'loop late at most',
      ],
      results.map(({ name, first, before, after, sample, took, delay }) => [
        name,
        `${first.id}: ${shown(first.change.from)} -> ${shown(first.change.to)}`,
        showPercent(first.gain.now),
        showPercent(before),
        showPercent(first.gain.then),
        showPercent(after),
        digits(sample),
        showMs(took),
        showMs(delay),
      ]),
    ),
  )
  return {
    figures: Object.fromEntries(results.map(({ name, ...rest }) => [name, rest])),
    claims: results.flatMap(({ name, wants, first, after }) => [
      { claim: `${name}: the advice is about ${wants}`, measured: first.id, holds: first.id === wants },
      {
        claim: `${name}: the change brings what was promised, within ${showPercent(WITHIN)}`,
        measured: `${showPercent(after)} of ${showPercent(first.gain.then)}`,
        holds: Math.abs(after - first.gain.then) <= WITHIN * first.gain.then,
      },
    ]),
  }
}
