import { createCache, memoryStore, nativeStatus } from '../../../dist/index.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { randomFrom } from '../../shared/random.mjs'
import { zipf } from '../../start/zipf.mjs'
import { stretchOf } from './values.mjs'

/*
 * Small values, then large ones, of the same keys or under others: their memory has to change hands, and where the
 * keys are others, too, a policy that has learnt to know the old ones has to forget them. Beside it a store that never
 * had anything else gets the same requests.
 */

const SMALL = 200
const LARGE = 20_000
const EXPONENT = 0.9
/** How many times `maxBytes` are written before the shift, and after. */
const BEFORE = 1
const AFTER = 4
const WINDOWS_IN_A_TURNOVER = 2

followParent()
process.send({ type: 'awake' })
const { maxBytes, policy, keys, otherKeys } = await fromParent('prepare')
const popular = zipf(keys, EXPONENT, randomFrom(2))

async function open() {
  const store = memoryStore({ maxBytes, policy })
  const cache = await createCache({ tiers: [store] })
  return { store, cache, hits: 0, written: 0 }
}

/** Asks for a key, and puts its value where it is missing, or small still. */
async function request(side, key, size) {
  const name = otherKeys ? `/${size}/${key}` : `/${key}`
  const expected = stretchOf(key, size, size)
  const found = side.cache.getSync(name)
  if (found?.meta.size !== size) {
    side.written += size
    await side.cache.set(name, expected)
    return
  }
  if (!found.value.equals(expected)) throw new Error(`memory-bound: ${name} has wrong bytes`)
  side.hits += 1
}

const shifted = await open()
const fresh = await open()
process.send({ type: 'ready', native: nativeStatus().loaded })

await fromParent('shift')
while (shifted.written < BEFORE * maxBytes) await request(shifted, popular(), SMALL)
const before = shifted.store.stats()

const windows = []
shifted.written = 0
for (let window = 1; window <= AFTER * WINDOWS_IN_A_TURNOVER; window += 1) {
  shifted.hits = 0
  fresh.hits = 0
  let requests = 0
  for (; shifted.written < (window * maxBytes) / WINDOWS_IN_A_TURNOVER; requests += 1) {
    const key = popular()
    await request(shifted, key, LARGE)
    await request(fresh, key, LARGE)
  }
  windows.push({
    turnovers: window / WINDOWS_IN_A_TURNOVER,
    requests,
    shifted: shifted.hits / requests,
    fresh: fresh.hits / requests,
  })
}
process.send({
  type: 'shifted',
  entriesBefore: before.entries,
  windows,
  entries: shifted.store.stats().entries,
  freshEntries: fresh.store.stats().entries,
})
await fromParent('end')
await Promise.all([shifted.cache.close(), fresh.cache.close()])
process.disconnect()
