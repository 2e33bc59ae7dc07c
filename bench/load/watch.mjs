import { get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { metricsDifference, metricsLatency } from '../../dist/index.js'
import { blocksOf } from '../macro/disk-churn/blocks.mjs'
import { cpuMicros } from '../shared/processes.mjs'
import { watchResident } from '../shared/resident.mjs'

/*
 * What a proxy says of itself at its admin listener, and what the system says of it, all the while.
 */

const EVERY_MS = 500

/** JSON of the admin listener at that path. */
function ask(admin, path) {
  const token = process.env['DREY_ADMIN_TOKEN']
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    get(`${admin}${path}`, { headers }, (response) => {
      const pieces = []
      response.on('data', (piece) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(pieces).toString()
        // A proxy that fails says so with 503, and why.
        if (response.statusCode === 200 || response.statusCode === 503) resolve(JSON.parse(text))
        else reject(new Error(`${admin}${path} answers ${response.statusCode}: ${text.trim()}`))
      })
    }).on('error', reject)
  })
}

/** What holds at the moment. */
async function sampleOf({ admin, pid, dir }) {
  const [stats, health] = [await ask(admin, '/stats'), await ask(admin, '/health')]
  return {
    level: health.level,
    tiers: stats.tiers.map(({ name, bytes, maxBytes, evictions, dropped, entries }) => ({
      name,
      bytes,
      maxBytes,
      evictions,
      dropped,
      entries,
    })),
    blocks: dir === undefined ? undefined : blocksOf(dir, pid).bytes,
  }
}

/**
 * Watches until `stop()`, which says what was the most of everything, and what happened in between.
 *
 * @param {{ admin?: string, pid?: number, dir?: string }} proxy without `admin` it says nothing of itself; `pid` and `dir` are of one that runs here
 */
export async function watch({ admin, pid, dir }) {
  const samples = []
  const resident = pid === undefined ? undefined : watchResident(pid, EVERY_MS)
  const cpu = pid === undefined ? Number.NaN : cpuMicros(pid)
  if (admin === undefined) return { stop: async () => ({ samples, resident: resident?.stop() }) }
  const before = await ask(admin, '/snapshot')
  const first = await sampleOf({ admin, pid, dir })
  const end = new AbortController()
  let failed
  const sampling = (async () => {
    while (!end.signal.aborted) {
      samples.push(await sampleOf({ admin, pid, dir }))
      await sleep(EVERY_MS, undefined, { signal: end.signal }).catch(stopped)
    }
  })().catch((error) => {
    failed = error
  })
  return {
    stop: async () => {
      end.abort()
      await sampling
      if (failed !== undefined) throw failed
      const last = await sampleOf({ admin, pid, dir })
      samples.push(last)
      const between = metricsDifference(await ask(admin, '/snapshot'), before)
      return {
        samples,
        resident: resident?.stop(),
        cpuMs: pid === undefined ? Number.NaN : (cpuMicros(pid) - cpu) / 1000,
        loopDelay: metricsLatency(between, 'event_loop_delay_seconds'),
        levels: [...new Set(samples.map(({ level }) => level))],
        tiers: last.tiers.map((tier, at) => ({
          ...tier,
          mostBytes: Math.max(...samples.map(({ tiers }) => tiers[at].bytes)),
          evicted: tier.evictions - first.tiers[at].evictions,
        })),
        mostBlocks: dir === undefined ? undefined : Math.max(...samples.map(({ blocks }) => blocks)),
      }
    },
  }
}

// The wait was broken off, as it was meant to be.
const stopped = () => undefined
