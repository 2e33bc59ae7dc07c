import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createCache, memoryStore } from '../../../dist/index.js'

/*
 * A process whose system has little: `node refusing-system.mjs WHAT BYTES` limits itself to BYTES more than it has by then,
 * uses a store, and prints what came of it as JSON.
 */

const MiB = 2 ** 20
const [what, bytes] = process.argv.slice(2)

/** Limits a resource to so many bytes beyond what is used; none lifts the limit. */
function limit(resource, field, more) {
  const used = Number(
    new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1],
  )
  const most = more === undefined ? 'unlimited' : used * 1024 + more
  const { status, stderr } = spawnSync('prlimit', ['--pid', process.pid, `--${resource}=${most}:`])
  if (status !== 0) throw new Error(`prlimit: ${stderr}`)
}

async function withLittleMemory() {
  const store = memoryStore({ maxBytes: 64 * MiB })
  const cache = await createCache({ tiers: [store] })
  const warnings = []
  process.on('warning', ({ code, message }) => warnings.push({ code, message }))
  const value = Buffer.alloc(4000, 'v')
  const keys = Array.from({ length: 14_000 }, (_, at) => `key ${at}`)
  // What the engine compiles and allocates by the way is there before the limit is.
  for (const key of keys.slice(0, 2000)) await cache.set(key, value)
  limit('data', 'VmData', Number(bytes))
  let at = 2000
  while (at < keys.length && store.stats().maxBytes === 64 * MiB) {
    await cache.set(keys[at], value)
    at += 1
  }
  limit('data', 'VmData', undefined)
  const refusedAt = at
  const { maxBytes } = store.stats()
  let over = 0
  for (const key of keys.slice(refusedAt)) {
    await cache.set(key, value)
    over = Math.max(over, store.stats().bytes - maxBytes)
  }
  for (let n = 0; n < 3; n += 1) await cache.set('large', Buffer.alloc(9 * MiB)).catch(({ code }) => code)
  await new Promise(setImmediate)
  const kept = keys.filter((key) => cache.getSync(key)?.value.equals(value)).length
  const last = cache.getSync(keys.at(-1))?.value.equals(value) === true
  store.configure({ maxBytes: 64 * MiB }).apply()
  const stats = store.stats()
  await cache.close()
  return { refusedAt, maxBytes, over, kept, last, warnings, raised: stats.maxBytes }
}

async function withFewAddresses() {
  limit('as', 'VmSize', Number(bytes))
  const store = memoryStore({ maxBytes: 64 * MiB })
  try {
    const cache = await createCache({ tiers: [store] })
    await cache.set('k', 'value')
    const text = cache.getSync('k').value.toString()
    let message = ''
    try {
      store.configure({ maxBytes: 128 * MiB }).apply()
    } catch (error) {
      message = `${error.code}: ${error.message}`
    }
    await cache.close()
    return { text, message }
  } catch (error) {
    return { code: error.code, message: error.message }
  }
}

console.log(JSON.stringify(await (what === 'memory' ? withLittleMemory() : withFewAddresses())))
