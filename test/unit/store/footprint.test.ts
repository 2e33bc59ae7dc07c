import { expect, test } from 'vitest'
import type { Draft } from '../../../lib/store/store.js'
import { jsStore, metadataFor } from '../../conformance/store-kit.js'

const MiB = 2 ** 20
const MAX_BYTES = 32 * MiB
/** What was evicted stays resident until V8 collects it. Nine tenths of all that is written must not. */
const GARBAGE = 256 * MiB

test('resident memory stays near the bound while twenty times as much is written', () => {
  const store = jsStore(MAX_BYTES, 4 * MiB)
  store.open({ now: () => 0, onEvict: () => undefined, hearsEvictions: () => true })
  const noise = Buffer.alloc(4 * MiB, 0x61)
  const start = process.memoryUsage.rss()
  let peak = start
  let written = 0
  for (let sets = 1; written < 20 * MAX_BYTES; sets += 1) {
    // From 1 byte to 4 MiB, as many of each order of magnitude.
    const size = Math.floor((4 * MiB) ** (((sets * 7919) % 1000) / 999))
    const draft = store.draft(`key ${(sets * 31) % 500}`, sets % 2 === 0 ? size : undefined) as Draft
    for (let at = 0; at < size; at += 65_536) {
      expect(draft.write(noise.subarray(at, Math.min(size, at + 65_536)))).toBe(true)
    }
    expect(draft.commit(metadataFor(size))).toBe(true)
    if (sets % 5 === 0) store.delete(`key ${(sets * 17) % 500}`)
    written += size
    if (sets % 10 === 0) peak = Math.max(peak, process.memoryUsage.rss())
    expect(store.stats().bytes).toBeLessThanOrEqual(MAX_BYTES)
  }
  expect(store.stats().evictions).toBeGreaterThan(100)
  expect(peak - start).toBeLessThan(MAX_BYTES + GARBAGE)
})
