import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createCache, fileStore, memoryStore } from '../../dist/index.js'
import { percentile } from '../shared/statistics.mjs'
import { digits, layOut, showMs } from '../shared/table.mjs'
import { freezable } from './frozen-tier/freezable.mjs'

/*
 * What a disk costs that stands still: every call of the file store hangs until it thaws. Requests come at a steady rate, each for a
 * key that memory does not have, so that the tier below is asked for each; the origin takes 20 to 40 ms. And 10,000 requests at once
 * for 100 keys that nobody has.
 */

const MiB = 2 ** 20
const PER_SECOND = 500
const SIZE = 2000
const OPERATION_MS = 1000
const OPEN_MS = 200

const bodyOf = (key) => Buffer.alloc(SIZE, `${key};`)

/** Numbers that look random, and are the same in each run. */
function sequence(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state / 2 ** 32
  }
}

function startOrigin() {
  const random = sequence(42)
  const times = []
  return {
    times,
    fetcher: async ({ key }) => {
      const begin = performance.now()
      await pause(20 + 20 * random())
      times.push(performance.now() - begin)
      return { body: bodyOf(key) }
    },
  }
}

/** Asks for `count` keys at a steady rate; says how long each took, and which answers were wrong. */
async function ask(cache, fetcher, name, count) {
  const took = []
  let wrong = 0
  const all = []
  const begin = performance.now()
  for (let at = 0; at < count; at += 1) {
    const due = begin + (at * 1000) / PER_SECOND
    const early = due - performance.now()
    if (early > 1) await pause(early)
    all.push(
      (async () => {
        const key = `${name} ${at}`
        const since = performance.now()
        const answer = await cache.fetch(key, fetcher)
        const body = await answer.bytes()
        took.push(performance.now() - since)
        if (!body.equals(bodyOf(key))) wrong += 1
      })(),
    )
  }
  await Promise.all(all)
  return { took, wrong }
}

async function flood(cache, count, keys) {
  let calls = 0
  const right = await Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const key = `cold ${at % keys}`
      const answer = await cache.fetch(key, async () => {
        calls += 1
        await pause(30)
        return { body: bodyOf(key) }
      })
      return (await answer.bytes()).equals(bodyOf(key))
    }),
  )
  return { calls, wrong: right.filter((one) => !one).length }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const count = quick ? 2500 : 10_000
  const dir = mkdtempSync(join(tmpdir(), 'drey-frozen-'))
  const disk = freezable(fileStore({ dir, maxBytes: 512 * MiB, minFree: 0 }))
  const cache = await createCache({
    tiers: [memoryStore({ maxBytes: 64 * MiB }), disk.store],
    breaker: { openFor: OPEN_MS },
    timeouts: { operation: OPERATION_MS },
  })
  const told = []
  cache.on('tier-down', () => told.push('down'))
  cache.on('tier-up', () => told.push('up'))
  const rows = []
  let wrong = 0
  const phase = async (name, requests) => {
    const origin = startOrigin()
    const late = cache.stats().lateLookups
    const { took, wrong: bad } = await ask(cache, origin.fetcher, name, requests)
    wrong += bad
    const row = { name, took, origin: origin.times, late: cache.stats().lateLookups - late }
    rows.push(row)
    return row
  }
  let frozen
  try {
    await phase('well', count / 5)
    disk.freeze()
    frozen = await phase('frozen', count)
    disk.thaw()
    for (let waited = 0; told.length < 2 && waited < 300; waited += 1) {
      await cache.fetch(`try ${waited}`, () => ({ body: 'x' }))
      await pause(100)
    }
    await phase('thawed', count / 5)
  } finally {
    disk.thaw()
    await cache.close()
    rmSync(dir, { recursive: true })
  }
  const memory = await createCache()
  const cold = await flood(memory, 10_000, 100)
  await memory.close()
  say(`  ${PER_SECOND} requests a second, none of them in memory; timeouts.operation ${OPERATION_MS} ms`)
  say()
  say(
    layOut(
      ['the disk is', 'requests', 'p50', 'p99', 'most', "origin's p50", "origin's p99", 'late lookups'],
      rows.map(({ name, took, origin, late }) => [
        name,
        digits(took.length, 0),
        ...[0.5, 0.99, 1].map((part) => showMs(percentile(took, part))),
        ...[0.5, 0.99].map((part) => showMs(percentile(origin, part))),
        digits(late, 0),
      ]),
    ),
  )
  const p99 = percentile(frozen.took, 0.99)
  const own = percentile(frozen.origin, 0.99)
  return {
    figures: rows.map(({ name, took, origin, late }) => ({
      name,
      p50: percentile(took, 0.5),
      p99: percentile(took, 0.99),
      originP99: percentile(origin, 0.99),
      late,
    })),
    claims: [
      {
        claim: 'every answer is right',
        measured: `${wrong + cold.wrong} wrong`,
        holds: wrong + cold.wrong === 0,
      },
      {
        claim: "with the disk frozen, p99 is within twice the origin's own",
        measured: `${showMs(p99)} and ${showMs(own)}`,
        holds: p99 <= 2 * own,
      },
      {
        claim: 'the breaker opens when it freezes, and closes when it thaws',
        measured: told.join(', '),
        holds: told[0] === 'down' && told.at(-1) === 'up',
      },
      {
        claim: '10,000 requests at once for 100 cold keys are 100 origin calls',
        measured: `${cold.calls}`,
        holds: cold.calls === 100,
      },
    ],
  }
}
