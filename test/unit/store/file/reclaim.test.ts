import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { JsFileStore } from '../../../../lib/store/file/js/store.js'
import { FILE_POLICY_NAMES } from '../../../../lib/store/file/options.js'
import { allotment } from '../../../../lib/store/file/space.js'
import { bytesOf, expectBytes, metadataFor, mustPut, put, readValue } from '../../../conformance/store-kit.js'
import { FaultEnv } from '../../../helpers/fault-env.js'
import { blocksOf, filesOf, killed } from '../../../helpers/file-model.js'
import { emptyDir, fileStoreOf, NOW, opened } from '../../../helpers/file-rig.js'
import { gate, turns, until } from '../../../helpers/gate.js'

/* Room, and who makes it. */

const KiB = 1024

describe('reclaiming', () => {
  test('early keeps what deletes say, and what is current', async () => {
    const dir = emptyDir()
    const more = { maxBytes: 1024 * KiB, segmentBytes: 64 * KiB, packLimit: 32 * KiB, maxItemBytes: 32 * KiB }
    const store = (await opened(fileStoreOf({ ...more, dir }))) as unknown as JsFileStore
    // The oldest segment stays as it is, and has what is deleted in the next.
    for (let index = 0; index < 12; index += 1) await mustPut(store, `old ${index}`, bytesOf(5000, index))
    await mustPut(store, 'over and over', bytesOf(30_000, 'first'))
    expect(store.stats().segments).toBe(2)
    for (let index = 0; index < 6; index += 1) expect(await store.delete(`old ${index}`)).toBe(true)
    await mustPut(store, 'live', bytesOf(100, 'live'))
    // Segments that are all dead but for that: they go before the oldest.
    for (let round = 0; round < 200 && store.stats().reclaimed < 3; round += 1) {
      await mustPut(store, 'over and over', bytesOf(30_000, round))
    }
    expect(store.stats()).toMatchObject({ evictions: 0, corrupt: 0 })
    expect(store.stats().reclaimed).toBeGreaterThan(2)
    expect(store.core.segments.oldest(0)).toBe(1)
    const left = killed(dir)
    await store.close()
    // All that is known is in the log.
    for (const file of filesOf(left)) if (file.endsWith('.img')) rmSync(file)
    const again = await opened(fileStoreOf({ ...more, dir: left }))
    for (let index = 0; index < 6; index += 1) expect(await again.find(`old ${index}`)).toBeUndefined()
    for (let index = 6; index < 12; index += 1) {
      expectBytes(await readValue(again, `old ${index}`), bytesOf(5000, index))
    }
    expectBytes(await readValue(again, 'live'), bytesOf(100, 'live'))
    await again.close()
  })

  test('while the same keys are written leaves the newest, here and after a crash', async () => {
    for (const size of [3000, 70_000]) {
      const dir = emptyDir()
      const more = { dir, maxBytes: 1536 * KiB, segmentBytes: 128 * KiB, policy: 'sieve' as const }
      const env = new FaultEnv()
      // Reads take their time, and what is copied forward is replaced meanwhile.
      env.onCall = ({ name }) =>
        name === 'read'
          ? new Promise<void>((go) => setImmediate(() => setImmediate(() => setImmediate(go))))
          : undefined
      const store = await opened(fileStoreOf(more, { env }))
      const last = new Map<string, number>()
      for (let round = 0; round < 60; round += 1) {
        // All at once: copies forward and puts of the same keys are on their way together.
        const keys = Array.from({ length: 12 }, (_, index) => `k${(round * 5 + index * 3) % 40}`)
        await Promise.all(
          keys.map(async (key) => {
            ;(await store.find(key, false))?.release()
            if (await put(store, key, bytesOf(size, `${key} ${round}`))) last.set(key, round)
          }),
        )
      }
      expect(store.stats().reclaimed).toBeGreaterThan(0)
      const check = async (of: typeof store): Promise<void> => {
        for (const [key, round] of last) {
          const value = await readValue(of, key)
          if (value !== undefined) expectBytes(value, bytesOf(size, `${key} ${round}`))
        }
      }
      await check(store)
      expect(store.stats()).toMatchObject({ corrupt: 0, diskErrors: 0 })
      const left = killed(dir)
      await store.close()
      const again = await opened(fileStoreOf({ ...more, dir: left }))
      await check(again)
      await again.close()
    }
  })

  test('does not bring back what is replaced or deleted while it is being copied forward', async () => {
    const dir = emptyDir()
    const more = {
      ...{ dir, maxBytes: 1024 * KiB, segmentBytes: 64 * KiB, packLimit: 32 * KiB },
      ...{ maxItemBytes: 32 * KiB, policy: 'sieve' as const },
    }
    const env = new FaultEnv()
    const store = await opened(fileStoreOf(more, { env }))
    const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
    for (const key of keys) await mustPut(store, key, bytesOf(2000, key))
    for (const key of keys) (await store.find(key))?.release()
    // The first read finds out what there is; those behind it are of what is to be copied.
    const held = gate()
    let reads = 0
    env.onCall = ({ name }) => {
      if (name !== 'read') return undefined
      reads += 1
      return reads > 1 ? held.opened.then(() => undefined) : undefined
    }
    const highMark = more.maxBytes - 2 * allotment(more.segmentBytes)
    for (let index = 0; store.stats().bytes <= highMark; index += 1) {
      await mustPut(store, `filler ${index}`, bytesOf(3000, index))
    }
    // A segment that ends gives some of its room back: then more is to be written. Nobody waits for that, which may wait for the reclaim.
    const filling: Array<Promise<unknown>> = []
    for (let index = 0; reads <= 1 && index < 40; index += 1) {
      await turns(50)
      if (reads <= 1) filling.push(mustPut(store, `more ${index}`, bytesOf(3000, index)))
    }
    await until(() => reads > 1, 'records are copied forward')
    for (const key of keys.slice(0, 4)) await mustPut(store, key, bytesOf(500, `${key} new`))
    for (const key of keys.slice(4, 7)) await store.delete(key)
    held.open()
    await Promise.all(filling)
    await until(() => store.stats().reclaimed > 0, 'the segment is reclaimed')
    const check = async (of: typeof store): Promise<void> => {
      for (const key of keys.slice(0, 4)) expectBytes(await readValue(of, key), bytesOf(500, `${key} new`))
      for (const key of keys.slice(4, 7)) expect(await of.find(key)).toBeUndefined()
      for (const key of keys.slice(7)) expectBytes(await readValue(of, key), bytesOf(2000, key))
      expect(of.stats().corrupt).toBe(0)
    }
    await check(store)
    expect(store.stats().diskErrors).toBe(0)
    const left = killed(dir)
    for (const file of filesOf(left)) if (file.endsWith('.img')) rmSync(file)
    await store.close()
    const again = await opened(fileStoreOf({ ...more, dir: left }))
    await check(again)
    await again.close()
  })

  test.each(FILE_POLICY_NAMES)('%s keeps what is read, unless it is fifo', async (policy) => {
    const more = { maxBytes: 1024 * KiB, segmentBytes: 64 * KiB, packLimit: 32 * KiB, maxItemBytes: 32 * KiB }
    const store = await opened(fileStoreOf({ ...more, policy }))
    const hot = Array.from({ length: 10 }, (_, index) => `hot ${index}`)
    for (const key of hot) await mustPut(store, key, bytesOf(2000, key))
    let hits = 0
    for (let index = 0; index < 1500; index += 1) {
      await mustPut(store, `cold ${index}`, bytesOf(2000, index))
      const key = hot[index % hot.length]!
      const entry = await store.find(key)
      if (entry !== undefined) hits += 1
      else await mustPut(store, key, bytesOf(2000, key))
    }
    if (policy === 'fifo') expect(hits).toBeLessThan(1499)
    else expect(hits).toBeGreaterThan(1450)
    expect(store.stats().evictions).toBeGreaterThan(500)
    expect(store.stats().writeAmplification).toBeLessThan(2.2)
    await store.close()
  })

  test('lets those go first that have expired, and says so', async () => {
    const more = { maxBytes: 1024 * KiB, segmentBytes: 64 * KiB, packLimit: 32 * KiB, maxItemBytes: 32 * KiB }
    const told: string[] = []
    const store = fileStoreOf({ ...more, policy: 'sieve' })
    await store.open({
      now: () => NOW,
      onEvict: (key, reason) => told.push(`${key} ${reason}`),
      hearsEvictions: () => true,
    })
    const expired = metadataFor(2000, { freshUntil: NOW - 1, staleIfErrorUntil: NOW - 1 })
    await mustPut(store, 'expired', bytesOf(2000, 1), { metadata: expired })
    ;(await store.find('expired'))?.release()
    for (let index = 0; index < 800; index += 1) await mustPut(store, `k${index}`, bytesOf(2000, index))
    expect(told.filter((one) => one.endsWith('expired'))).toEqual(['expired expired'])
    expect(store.stats().expirations).toBe(1)
    expect(told.length).toBe(store.stats().evictions + 1)
    await store.close()
  })
})

describe('the ledger', () => {
  test('has all that the directory takes, at every call of the system', { timeout: 120_000 }, async () => {
    const dir = emptyDir()
    const more = { dir, maxBytes: 2048 * KiB, segmentBytes: 128 * KiB, chunkBytes: 4096, partitions: 2 }
    const env = new FaultEnv()
    const store = await opened(fileStoreOf(more, { env }))
    let samples = 0
    let most = 0
    env.onCall = () => {
      samples += 1
      if (samples % 5 !== 0) return undefined
      const blocks = blocksOf(dir)
      most = Math.max(most, blocks)
      if (blocks > store.stats().bytes)
        throw new Error(`${blocks} bytes are taken, ${store.stats().bytes} are known`)
      if (store.stats().bytes > more.maxBytes)
        throw new Error(`${store.stats().bytes} bytes are more than allowed`)
      return undefined
    }
    for (let round = 0; round < 60; round += 1) {
      const sizes = [10, 3000, 60_000, 70_000, 200_000, 30].map((size) => size + round)
      await Promise.all(
        sizes.map((size, index) => put(store, `k${(round * 6 + index) % 90}`, bytesOf(size, index))),
      )
      if (round % 7 === 0) await store.delete(`k${round}`)
      if (round % 25 === 24) await store.clear()
    }
    env.onCall = () => undefined
    expect(samples).toBeGreaterThan(500)
    expect(most).toBeGreaterThan(more.maxBytes / 2)
    expect(store.stats().diskErrors).toBe(0)
    await store.close()
    expect(blocksOf(dir)).toBeLessThanOrEqual(more.maxBytes)
  })

  test('keeps a part of the file system free', async () => {
    const env = new FaultEnv()
    let free = 100_000_000
    env.space = async () => ({ total: 1_000_000_000, free })
    const store = await opened(fileStoreOf({ minFree: 0.05 }, { env }))
    await mustPut(store, 'k', bytesOf(100_000, 'k'))
    free = 40_000_000
    const refusals = store.stats().refusals
    // What was said of the file system is believed for a second, or for 64 MiB.
    let refused = false
    for (let index = 0; index < 2000 && !refused; index += 1) {
      refused = !(await put(store, `more ${index}`, bytesOf(400_000, index % 2)))
    }
    expect(refused).toBe(true)
    expect(store.stats().refusals).toBeGreaterThan(refusals)
    await store.close()
  })
})
