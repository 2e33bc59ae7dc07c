import { statfsSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { native } from '../../../../lib/native/loader.js'
import { systemEnv } from '../../../../lib/store/file/env.js'
import { jsFileStore } from '../../../../lib/store/file/js.js'
import { nativeFileStore } from '../../../../lib/store/file/native.js'
import { VolumeWatch } from '../../../../lib/store/file/volume.js'
import { bytesOf, put } from '../../../conformance/store-kit.js'
import { FakeClock } from '../../../helpers/clock.js'
import { emptyDir, engines, fileConfig, opened } from '../../../helpers/file-rig.js'
import { turns } from '../../../helpers/gate.js'

/** A file system that answers when it is told to. */
function askedSystem() {
  const asked: Array<{ answer(free: number): void; fail(): void }> = []
  const space = (): Promise<{ total: number; free: number }> =>
    new Promise((resolve, reject) => {
      asked.push({
        answer: (free) => resolve({ total: 1000, free }),
        fail: () => reject(new Error('EIO')),
      })
    })
  return { asked, env: { space } }
}

describe('what is free', () => {
  test('is given at once, as it was, and asked for once at a time, each 5 s at most', async () => {
    const { asked, env } = askedSystem()
    const clock = new FakeClock()
    let minFree = 0.1
    const watch = new VolumeWatch({ env, clock }, '/dir', () => minFree)
    expect([watch.stats(), watch.stats(), asked.length]).toEqual([{}, {}, 1])
    clock.advance(60_000)
    expect([watch.stats(), asked.length]).toEqual([{}, 1])
    asked[0]!.answer(300)
    await turns()
    expect([watch.stats(), asked.length]).toEqual([{ freeBytes: 300, roomBytes: 200 }, 2])
    minFree = 450
    asked[1]!.answer(400)
    await turns()
    clock.advance(4999)
    expect([watch.stats(), asked.length]).toEqual([{ freeBytes: 400, roomBytes: 0 }, 2])
    clock.advance(1)
    expect([watch.stats(), asked.length]).toEqual([{ freeBytes: 400, roomBytes: 0 }, 3])
    asked[2]!.fail()
    await turns()
    expect(watch.stats()).toEqual({})
  })

  test.each(engines().map(({ name }) => name))('is said by the %s engine while it is open', async (name) => {
    const clock = new FakeClock()
    const env = { ...systemEnv, space: async () => ({ total: 1000, free: 10 ** 9 }) }
    const config = fileConfig({ minFree: 100 })
    const store =
      name === 'js' ? jsFileStore(config, { env, clock }) : nativeFileStore(config, native()!, { env, clock })
    expect('freeBytes' in store.stats()).toBe(false)
    await opened(store)
    expect(store.stats()).toMatchObject({ freeBytes: 10 ** 9, roomBytes: 10 ** 9 - 100 })
    await store.close()
    expect('freeBytes' in store.stats()).toBe(false)
  })
})

describe.each(engines())('the $name engine', ({ make }) => {
  test('says what the system says', async () => {
    const store = await opened(make())
    expect(store.stats().freeBytes).toBeGreaterThan(0)
    const { bsize, blocks } = statfsSync(emptyDir())
    expect(store.stats().roomBytes).toBeLessThanOrEqual(bsize * blocks)
    await store.close()
  })

  test('counts what it refused for want of room apart from what is too large', async () => {
    const store = await opened(make())
    await store.configure({ minFree: 2 ** 50 }).apply()
    expect(await put(store, 'large', bytesOf(600 * 1024, 1))).toBe(false)
    expect(store.stats()).toMatchObject({ refusals: 1, roomRefusals: 0 })
    expect(await put(store, 'small', bytesOf(200 * 1024, 1)).catch(() => false)).toBe(false)
    expect(store.stats()).toMatchObject({ refusals: 2, roomRefusals: 1 })
    await store.close()
  })
})
