import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import type { CallMessage, FillMessage } from '../../../lib/index.js'
import { until } from '../../helpers/gate.js'
import { found, noOrigin, rig, settled } from '../../helpers/rig.js'

type Told = readonly [event: string, message: CallMessage]

const cleanups: Array<() => void> = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** What the channels of `operation` tell, from now on to the end of the test. */
function listen(operation: string): Told[] {
  const told: Told[] = []
  const note = (event: string) => (message: unknown) =>
    void told.push([event, { ...(message as CallMessage) }])
  const subscribers = {
    start: note('start'),
    end: note('end'),
    asyncStart: note('asyncStart'),
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  }
  const channels = tracingChannel(`drey:${operation}`)
  channels.subscribe(subscribers)
  cleanups.push(() => void channels.unsubscribe(subscribers))
  return told
}

describe.each([[true], [false]])('with metrics %s, channels tell', (metrics) => {
  test('of a fetch from its start to its answer', async () => {
    const { cache, clock } = await rig('memory', { metrics })
    const told = listen('fetch')
    await cache.fetch('a', () => {
      clock.advance(30)
      return { body: 'value' }
    })
    await cache.fetch('a', noOrigin)
    expect(told.map(([event]) => event)).toEqual([
      'start',
      'end',
      'asyncStart',
      'asyncEnd',
      'start',
      'end',
      'asyncStart',
      'asyncEnd',
    ])
    expect(told[0]![1]).toEqual({ operation: 'fetch', key: 'a' })
    expect(told[3]![1]).toEqual({
      operation: 'fetch',
      key: 'a',
      outcome: 'miss',
      tier: undefined,
      size: 5,
      duration: 30,
    })
    expect(told[7]![1]).toEqual({
      operation: 'fetch',
      key: 'a',
      outcome: 'hit',
      tier: 'memory',
      size: 5,
      duration: 0,
    })
  })

  test('of errors, and of calls that are wrong', async () => {
    const { cache } = await rig('memory', { metrics })
    const told = listen('fetch')
    await expect(cache.fetch('a', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    await expect(cache.fetch('', noOrigin)).rejects.toThrow()
    const errors = told
      .filter(([event]) => event === 'error')
      .map(([, { error }]) => (error as { code: string }).code)
    expect(errors).toEqual(['ERR_DREY_ORIGIN', 'ERR_DREY_KEY'])
  })

  test('of get, set, delete, and of getSync, which ends at once', async () => {
    const { cache } = await rig('memory', { metrics })
    const told = ['get', 'set', 'delete', 'getSync'].map(listen)
    await cache.set('a', 'value')
    await cache.get('a')
    await cache.get('b')
    cache.getSync('a')
    expect(() => cache.getSync('')).toThrow()
    await cache.delete('a')
    const [get, set, deleted, sync] = told.map((all) =>
      all.map(([event, { outcome }]) => `${event} ${outcome}`),
    )
    expect(get!.filter((one) => one.startsWith('asyncEnd'))).toEqual(['asyncEnd hit', 'asyncEnd miss'])
    expect(set).toEqual(['start undefined', 'end undefined', 'asyncStart done', 'asyncEnd done'])
    expect(deleted!.at(-1)).toBe('asyncEnd done')
    expect(sync).toEqual(['start undefined', 'end hit', 'start undefined', 'error error', 'end error'])
  })

  test('of fills, when they are over', async () => {
    const one = await rig('memory', { metrics })
    const fills: FillMessage[] = []
    const note = (message: unknown): void => void fills.push(message as FillMessage)
    subscribe('drey:fill', note)
    cleanups.push(() => unsubscribe('drey:fill', note))
    await one.cache.fetch('a', () => {
      one.clock.advance(20)
      return { body: 'value' }
    })
    await one.cache.fetch('b', () => Promise.reject(new Error('down'))).catch(() => undefined)
    await settled(one)
    await until(() => fills.length === 2, 'both are told')
    expect(fills[0]).toEqual({ key: 'a', duration: 20, bytes: 5, stored: 'memory', error: undefined })
    expect(fills[1]).toMatchObject({
      key: 'b',
      bytes: undefined,
      stored: undefined,
      error: { code: 'ERR_DREY_ORIGIN' },
    })
  })
})

test('what a store is bound to is there in the fetcher, and after the call', async () => {
  const { cache } = await rig('memory')
  const storage = new AsyncLocalStorage<string>()
  const { start } = tracingChannel('drey:fetch')
  start.bindStore(storage as never, (message) => `span of ${(message as CallMessage).key}` as never)
  cleanups.push(() => void start.unbindStore(storage as never))
  let seen: string | undefined
  await cache.fetch('a', () => {
    seen = storage.getStore()
    return { body: 'value' }
  })
  expect(seen).toBe('span of a')
})

test('a subscriber may call the cache', async () => {
  const { cache } = await rig('memory')
  const changed: unknown[] = []
  const change = (message: unknown): void => {
    const { key } = message as CallMessage
    if (!key.startsWith('of '))
      changed.push(cache.delete(key), cache.set(`of ${key}`, 'x'), cache.getSync(key))
  }
  const channels = tracingChannel('drey:fetch')
  const subscribers = { start: change, end: change, asyncStart: change, asyncEnd: change, error: change }
  channels.subscribe(subscribers)
  cleanups.push(() => void channels.unsubscribe(subscribers))
  const fill = channel('drey:fill')
  fill.subscribe(change)
  cleanups.push(() => fill.unsubscribe(change))
  for (let round = 0; round < 5; round += 1) {
    expect(await found(await cache.fetch('a', () => ({ body: 'value' }))).text()).toBe('value')
  }
  await Promise.all(changed)
  expect(cache.getSync('of a')?.value.toString()).toBe('x')
})

test('one that throws changes no answer, and is an uncaught exception of the process as for every channel', async () => {
  const { cache } = await rig('memory', { metrics: { sampling: 1 } })
  const mine = new Error('of a subscriber')
  const uncaught: unknown[] = []
  const others = process.listeners('uncaughtException')
  const note = (error: unknown): void => void uncaught.push(error)
  process.removeAllListeners('uncaughtException').on('uncaughtException', note)
  cleanups.push(() => {
    process.off('uncaughtException', note)
    for (const other of others) process.on('uncaughtException', other)
  })
  const fail = (): never => {
    throw mine
  }
  const channels = tracingChannel('drey:fetch')
  const subscribers = { start: fail, end: fail, asyncStart: fail, asyncEnd: fail, error: fail }
  channels.subscribe(subscribers)
  const told = listen('fetch')
  try {
    expect(await found(await cache.fetch('a', () => ({ body: 'value' }))).text()).toBe('value')
    await expect(cache.fetch('b', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
  } finally {
    channels.unsubscribe(subscribers)
  }
  await until(() => uncaught.length === 9, 'all of them were thrown')
  expect(new Set(uncaught)).toEqual(new Set([mine]))
  expect(told.map(([event]) => event)).toEqual([
    'start',
    'end',
    'asyncStart',
    'asyncEnd',
    'start',
    'end',
    'error',
    'asyncStart',
    'asyncEnd',
  ])
  expect(await found(await cache.fetch('a', noOrigin)).text()).toBe('value')
})
