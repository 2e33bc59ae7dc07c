/*
 * A cache over a memory store that compresses, beside one that does not: what it costs to set JSON and to get it whole, and what it takes in
 * memory. The engines take turns, the median of the rounds counts, and every byte that comes back is compared.
 */
import { strict as assert } from 'node:assert'
import { createCache, memoryStore } from '../../../dist/index.js'
import { median } from '../../shared/statistics.mjs'
import { digits, showBytes } from '../../shared/table.mjs'
import { kinds } from '../contents/kinds.mjs'

const KiB = 1024
const SIZES = [KiB, 4 * KiB, 16 * KiB, 64 * KiB, 1024 * KiB]
const OPTIONS = ['none', 'lz4', 'gzip']
const KEYS = 32

export async function suite({ quick }) {
  const rounds = quick ? 1 : 5
  const ms = quick ? 30 : 150
  const json = kinds(1024 * KiB).get('JSON')
  const rows = []
  for (const size of SIZES) {
    const values = Array.from({ length: KEYS }, (_, at) => {
      const from = (at * 4099) % (json.length - size + 1)
      return json.subarray(from, from + size)
    })
    const contestants = []
    for (const compression of OPTIONS) {
      const cache = await createCache({
        tiers: [memoryStore({ maxBytes: '128MiB', maxItemBytes: '8MiB', compression })],
        pressure: false,
      })
      contestants.push({ compression, cache, values, set: [], get: [], sync: [] })
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const contestant of contestants) {
        const { cache, set, get, sync } = contestant
        set.push(await microseconds(ms, (at) => cache.set(`k${at}`, values[at])))
        get.push(
          await microseconds(ms, async (at) => {
            const found = await cache.get(`k${at}`)
            assert.equal(Buffer.compare(await found.bytes(), values[at]), 0)
          }),
        )
        if (size <= 64 * KiB && cache.getSync('k0') !== undefined) {
          sync.push(
            await microseconds(ms, (at) => {
              assert.equal(Buffer.compare(cache.getSync(`k${at}`).value, values[at]), 0)
            }),
          )
        }
      }
    }
    for (const { compression, cache, set, get, sync } of contestants) {
      const { compression: stored } = await cache.stat('k0')
      rows.push([
        `${showBytes(size)}, ${compression}`,
        `${digits(median(set))} µs`,
        `${digits(median(get))} µs`,
        sync.length === 0 ? '' : `${digits(median(sync))} µs`,
        showBytes(stored?.storedSize ?? size),
      ])
      await cache.close()
    }
  }
  return {
    notes: [`median of ${rounds}; JSON, ${KEYS} keys in turns, one call at a time, every byte compared`],
    table: [['', 'set', 'get, bytes()', 'getSync', 'stored'], ...rows],
  }
}

async function microseconds(ms, work) {
  const begun = performance.now()
  let done = 0
  do {
    for (let at = 0; at < KEYS; at += 1) {
      const result = work(at)
      if (result instanceof Promise) await result
    }
    done += KEYS
  } while (performance.now() - begun < ms)
  return ((performance.now() - begun) * 1000) / done
}
