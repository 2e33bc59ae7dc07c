import { afterEach, describe, expect, it } from 'vitest'
import { native } from '../../lib/native/loader.js'
import type { Metadata, StoreStats } from '../../lib/store/store.js'
import { emptyDir } from '../helpers/file-rig.js'
import { Thread } from './worker.js'

/*
 * What one thread invalidates by tag, no other answers with: whoever began before, whoever asks after, and who comes later.
 */

const MiB = 2 ** 20
const threads: Thread[] = []
let stores = 0

afterEach(async () => {
  await Promise.all(threads.splice(0).map(({ worker }) => worker.terminate()))
})

async function thread(options: object, data = {}): Promise<Thread> {
  const made = new Thread(data)
  threads.push(made)
  await made.ask('open', options)
  return made
}

const KINDS = {
  memory: () => ({ name: `tags ${++stores}`, maxBytes: 8 * MiB }),
  directory: () => ({ dir: emptyDir(), maxBytes: 16 * MiB, minFree: 0 }),
}

describe.skipIf(native() === undefined).each(Object.entries(KINDS))('threads over one %s', (kind, own) => {
  it('one invalidates, all know: of entries before it, and not of those after it', async () => {
    const options = own()
    const [first, second] = [await thread(options), await thread(options)]
    await first.ask('set', 'a', 'old', ['s', 't'])
    await second.ask('set', 'b', 'old', ['t'])
    await second.ask('set', 'c', 'old', ['u'])
    expect(await first.ask('get', 'b')).toMatchObject({ text: 'old' })
    await second.ask('invalidate', ['t'])
    const seen = (one: Thread): Promise<unknown[]> =>
      Promise.all(['a', 'b', 'c'].map(async (key) => (await one.ask<{ text: string }>('get', key))?.text))
    expect([await seen(first), await seen(second)]).toEqual(Array(2).fill([undefined, undefined, 'old']))
    await first.ask('set', 'a', 'new', ['t'])
    expect([await seen(first), await seen(second)]).toEqual(Array(2).fill(['new', undefined, 'old']))
    const third = await thread(options)
    expect(await seen(third)).toEqual(['new', undefined, 'old'])
    await third.ask('invalidate', ['u'], true)
    expect((await first.ask<Metadata>('stat', 'c')).freshUntil).toBeLessThanOrEqual(Date.now())
    expect(await seen(first)).toEqual(['new', undefined, undefined])
  })

  it('wins over a fill of another thread that began before it', async () => {
    const options = own()
    const [first, second] = [await thread(options, { tells: true }), await thread(options)]
    const led = first.ask('fetch', 'k', undefined, ['t'])
    await first.ask('send', 'k', 'old')
    await first.hasRead('old')
    await second.ask('invalidate', ['t'])
    await first.ask('send', 'k', 'end')
    expect(await led).toMatchObject({ text: 'old' })
    expect([await first.ask('get', 'k'), await second.ask('get', 'k')]).toEqual([undefined, undefined])
  })

  it('is within the bound, however many tags', async () => {
    const options = own()
    const [first, second] = [await thread(options), await thread(options)]
    await second.ask('set', 'k', 'old', ['the first'])
    await first.ask('invalidate', ['the first'])
    for (let at = 0; at < 12; at += 1) {
      await first.ask(
        'invalidate',
        Array.from({ length: 1000 }, (_, i) => `a tag of some length ${at} ${i}`),
      )
    }
    expect(await second.ask('get', 'k')).toBeUndefined()
    const { bytes, maxBytes } = await first.ask<StoreStats>('stats')
    expect(bytes).toBeLessThanOrEqual(maxBytes)
    await second.ask('set', 'k', 'new', ['the first'])
    expect(await first.ask('get', 'k')).toMatchObject({ text: 'new' })
  })

  it.runIf(kind === 'memory')(
    'I6: who asks after it does not join what another thread asked before it, and its answer is the one that stays',
    async () => {
      const options = own()
      const [first, second] = [await thread(options, { tells: true }), await thread(options)]
      const led = first.ask('fetch', 'k', undefined, ['t'])
      await first.ask('send', 'k', 'old')
      await first.hasRead('old')
      await second.ask('invalidate', ['t'])
      const anew = second.ask('fetch', 'k', undefined, ['t'])
      await second.ask('send', 'k', 'new')
      await second.ask('send', 'k', 'end')
      expect(await anew).toMatchObject({ outcome: 'miss', text: 'new' })
      await first.ask('send', 'k', 'end')
      expect(await led).toMatchObject({ text: 'old' })
      expect(await first.ask('get', 'k')).toMatchObject({ text: 'new' })
      expect(await second.ask('calls')).toBe(1)
    },
  )

  it.runIf(kind === 'memory')('who follows another thread is not joined by who asks after it', async () => {
    const options = own()
    const [first, second, third] = [
      await thread(options, { tells: true }),
      await thread(options, { tells: true }),
      await thread(options),
    ]
    const led = first.ask('fetch', 'k', undefined, ['t'])
    await first.ask('send', 'k', 'old')
    await first.hasRead('old')
    const followed = second.ask('fetch', 'k')
    await second.hasRead('old')
    await third.ask('invalidate', ['t'])
    const anew = second.ask('fetch', 'k')
    await second.ask('send', 'k', 'new')
    await second.ask('send', 'k', 'end')
    expect(await anew).toMatchObject({ outcome: 'miss', text: 'new' })
    await first.ask('send', 'k', 'end')
    expect([await led, await followed]).toMatchObject([{ text: 'old' }, { text: 'old' }])
  })
})
