import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { GivingWay } from '../../../lib/store/memory/giving-way.js'
import { turns } from '../../helpers/gate.js'

/** Milliseconds, as each step makes them pass. */
let now = 0

beforeEach(() => {
  now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => now)
})

afterEach(() => {
  vi.restoreAllMocks()
})

/** A store that needs so many steps of a millisecond. */
function needing(count: number) {
  const store = { left: count, steps: 0 }
  const givingWay = new GivingWay(() => {
    now += 1
    store.steps += 1
    store.left = Math.max(0, store.left - 1)
    return store.left === 0
  })
  return { store, givingWay }
}

test('it gives up for two milliseconds in a turn, and then lets others have theirs', async () => {
  const { store, givingWay } = needing(7)
  givingWay.start()
  expect(store.left).toBe(5)
  await turns(1)
  expect(store.left).toBe(3)
  await turns(5)
  expect([store.left, store.steps]).toEqual([0, 7])
})

test('started again meanwhile it goes on, once', async () => {
  const { store, givingWay } = needing(9)
  givingWay.start()
  givingWay.start()
  givingWay.start()
  expect(store.steps).toBe(2)
  await turns(1)
  expect(store.steps).toBe(4)
  store.left = 1
  await turns(5)
  expect(store.steps).toBe(5)
  givingWay.start()
  expect(store.steps).toBe(6)
})

test('stopped it does nothing more', async () => {
  const { store, givingWay } = needing(100)
  givingWay.start()
  givingWay.stop()
  givingWay.stop()
  await turns(5)
  expect(store.left).toBe(98)
})
