import { afterEach, describe, expect, it } from 'vitest'
import { createCache } from '../../lib/cache/create.js'
import { native } from '../../lib/native/loader.js'
import { memoryStore } from '../../lib/store/memory/index.js'
import type { StoreStats } from '../../lib/store/store.js'
import { Thread } from './worker.js'

/*
 * Several threads of one process over one store that has a name. Without the addon every thread has a memory of its
 * own, and there is nothing to share.
 */

const threads: Thread[] = []
let stores = 0

function thread(data: { readonly tells?: boolean } = {}): Thread {
  const made = new Thread(data)
  threads.push(made)
  return made
}

/** Options of a store that no other test has. */
function ownStore(): { name: string; maxBytes: number } {
  stores += 1
  return { name: `sharing ${stores}`, maxBytes: 8 * 2 ** 20 }
}

async function opened(count: number, options = ownStore(), data = {}): Promise<Thread[]> {
  const made = Array.from({ length: count }, () => thread(data))
  for (const each of made) await each.ask('open', options)
  return made
}

afterEach(async () => {
  await Promise.all(threads.splice(0).map(({ worker }) => worker.terminate()))
})

describe.skipIf(native() === undefined)('threads over one store', () => {
  it('I6: one call of the origin, and all read while it sends', async () => {
    const [first, second] = (await opened(2, ownStore(), { tells: true })) as [Thread, Thread]
    const led = first.ask<{ text: string; outcome: string }>('fetch', 'k')
    await first.ask('send', 'k', 'one ')
    await first.hasRead('one ')
    const followed = second.ask<{ text: string; outcome: string }>('fetch', 'k')
    await second.hasRead('one ')
    await first.ask('send', 'k', 'two')
    await first.ask('send', 'k', 'end')
    expect(await led).toEqual({ status: 'ok', outcome: 'miss', text: 'one two' })
    expect(await followed).toEqual({ status: 'ok', outcome: 'joined', text: 'one two' })
    expect(await first.ask('calls')).toBe(1)
    expect(await second.ask('calls')).toBe(0)
    expect(await second.ask('get', 'k')).toEqual({ status: 'ok', outcome: 'hit', text: 'one two' })
    expect(await second.ask<StoreStats>('stats')).toMatchObject({ entries: 1, pinnedBytes: 0 })
  })

  it('I4: one changes bound and policy while both use the store: nothing fails, the bound holds, both see it', async () => {
    const options = ownStore()
    const all = await opened(2, options)
    const [first, second] = all as [Thread, Thread]
    const churns = all.map((each, number) => each.ask<{ wrong: number; gets: number }>('churn', number + 1))
    const policies = ['lru', 'w-tinylfu', 'fifo', 'sieve', 'lfu', 's3-fifo']
    for (const [round, policy] of policies.entries()) {
      const maxBytes = (round % 2 === 0 ? 2 + round : 12 - round) * 2 ** 20
      // The last one was the other's.
      const changer = round % 3 === 2 ? first : second
      const changes = await changer.ask<Array<{ path: string }>>('configure', { maxBytes, policy })
      expect(changes).toContainEqual(expect.objectContaining({ path: 'tiers.0.maxBytes', to: maxBytes }))
      expect(changes).toContainEqual(expect.objectContaining({ path: 'tiers.0.policy', to: policy }))
      // Bytes and bound are not read in one step: only while the bound stands can they be compared.
      for (const each of all) {
        const { maxBytes: seen, bytes } = await each.ask<StoreStats>('stats')
        expect(seen).toBe(maxBytes)
        expect(bytes).toBeLessThanOrEqual(maxBytes)
      }
    }
    for (const each of all) await each.ask('halt')
    for (const { wrong, gets } of await Promise.all(churns)) {
      expect(wrong).toBe(0)
      expect(gets).toBeGreaterThan(0)
    }
  })

  it('what one writes the other reads, and what one deletes is gone for both', async () => {
    const [first, second] = (await opened(2)) as [Thread, Thread]
    for (const text of ['small', 'large'.repeat(100_000)]) {
      await first.ask('set', 'k', text)
      expect(await second.ask('get', 'k')).toMatchObject({ text })
      expect(await second.ask('delete', 'k')).toBe(true)
      expect(await first.ask('get', 'k')).toBeUndefined()
    }
    await first.ask('set', 'k', 'again')
    await second.ask('clear')
    expect(await first.ask('get', 'k')).toBeUndefined()
  })

  it('I5: a delete in one thread wins over a fill in another', async () => {
    const [first, second] = (await opened(2, ownStore(), { tells: true })) as [Thread, Thread]
    const led = first.ask('fetch', 'k')
    await first.ask('send', 'k', 'old')
    await first.hasRead('old')
    expect(await second.ask('delete', 'k')).toBe(false)
    await first.ask('send', 'k', 'end')
    expect(await led).toMatchObject({ text: 'old' })
    expect(await first.ask('get', 'k')).toBeUndefined()
    // Who asks after the delete asks the origin anew.
    await second.ask('send', 'k', 'new')
    await second.ask('send', 'k', 'end')
    expect(await second.ask('fetch', 'k')).toMatchObject({ outcome: 'miss', text: 'new' })
  })

  it('an origin that fails fails for all who wait', async () => {
    const [first, second] = (await opened(2)) as [Thread, Thread]
    const led = first.ask('fetch', 'k')
    const followed = second.ask('fetch', 'k')
    const both = Promise.allSettled([led, followed])
    await second.ask('stats')
    await first.ask('send', 'k', 'fail')
    await second.ask('send', 'k', 'fail')
    // Who leads was given a body, which broke off; who had no byte of it learns of the origin's error.
    for (const each of await both) {
      const code = expect.stringMatching(/^ERR_DREY_(TRUNCATED|ORIGIN)$/)
      expect(each).toMatchObject({ status: 'rejected', reason: { code } })
    }
    expect(await second.ask<StoreStats>('stats')).toMatchObject({ entries: 0, pinnedBytes: 0 })
  })

  it.each(['terminate', 'exit'])(
    'a thread that goes by %s takes its fill with it: who has read a byte gets an error, who has not asks anew',
    async (how) => {
      const [leader, reader, waiter] = (await opened(3, ownStore(), { tells: true })) as [
        Thread,
        Thread,
        Thread,
      ]
      const lost = leader.ask('fetch', 'read').catch((error: Error) => error.message)
      const lostToo = leader.ask('fetch', 'waited for').catch((error: Error) => error.message)
      await leader.ask('send', 'read', 'some')
      await leader.hasRead('some')
      const broken = reader.ask('fetch', 'read')
      broken.catch(() => undefined)
      await reader.hasRead('some')
      const anew = waiter.ask('fetch', 'waited for')
      await waiter.ask('send', 'waited for', 'whole')
      await waiter.ask('send', 'waited for', 'end')
      if (how === 'exit') leader.ask('exit').catch(() => undefined)
      else await leader.worker.terminate()
      expect(await lost).toMatch(/gone/)
      expect(await lostToo).toMatch(/gone/)
      await expect(broken).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
      expect(await anew).toMatchObject({ outcome: 'miss', text: 'whole' })
      expect(await waiter.ask<StoreStats>('stats')).toMatchObject({ entries: 1, pinnedBytes: 0 })
    },
  )

  it('the store is freed when the last one closes or is gone, and not before', async () => {
    const options = ownStore()
    const [first, second] = (await opened(2, options)) as [Thread, Thread]
    await first.ask('set', 'k', 'kept')
    await first.ask('close')
    expect(await second.ask('get', 'k')).toMatchObject({ text: 'kept' })
    await second.worker.terminate()
    const third = thread()
    await third.ask('open', { ...options, maxBytes: 2 ** 20 })
    expect(await third.ask('get', 'k')).toBeUndefined()
  })

  it('options that disagree are refused', async () => {
    const options = ownStore()
    await opened(1, options)
    for (const [option, other] of [
      ['maxBytes', { maxBytes: 2 ** 20 }],
      ['maxItemBytes', { maxItemBytes: 1000 }],
      ['policy', { policy: 'fifo' }],
    ] as const) {
      const tiers = [memoryStore({ ...options, ...other })]
      await expect(createCache({ tiers })).rejects.toMatchObject({
        code: 'ERR_DREY_CONFIG',
        message: expect.stringContaining(`memoryStore.${option}: got`),
      })
    }
  })
})
