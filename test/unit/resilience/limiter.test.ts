import { describe, expect, test, vi } from 'vitest'
import { createLimiter, type LimiterOptions, type Permit } from '../../../lib/resilience/limiter/limiter.js'
import { FakeClock } from '../../helpers/clock.js'

function rig(options: LimiterOptions = {}) {
  const clock = new FakeClock()
  return { clock, limiter: createLimiter({ concurrency: 1, queue: 10, ...options }, clock) }
}

const settled = (): Promise<void> => new Promise(setImmediate)

/** What became of a promise, without waiting for it. */
async function stateOf(promise: Promise<unknown>): Promise<string> {
  let state = 'pending'
  promise.then(
    () => {
      state = 'fulfilled'
    },
    (error) => {
      state = error.code ?? error.message
    },
  )
  await settled()
  return state
}

/** A promise and its ends. */
function deferred<T>() {
  let resolve!: (value: T) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}

const idle = { active: 0, holders: 0, overdue: 0, waiting: { low: 0, normal: 0, high: 0, critical: 0 } }

describe('a permit', () => {
  test('comes at once where a slot is free, and gives it back once, however often it is released', async () => {
    const { limiter, clock } = rig({ concurrency: 2 })
    const first = limiter.tryAcquire({ weight: 2 })!
    expect(first.weight).toBe(2)
    expect(limiter.tryAcquire()).toBeUndefined()
    first.release()
    const [second, third] = [limiter.tryAcquire()!, limiter.tryAcquire()!]
    first.release()
    first[Symbol.dispose]()
    expect(limiter.stats()).toMatchObject({ active: 2, holders: 2, granted: 3 })
    expect(limiter.tryAcquire()).toBeUndefined()
    second[Symbol.dispose]()
    third.release()
    expect(limiter.stats()).toMatchObject(idle)
    expect(clock.pending).toBe(0)
  })

  test('is not to be had by the way while somebody waits, though it would fit', async () => {
    const { limiter } = rig({ concurrency: 2 })
    const held = limiter.tryAcquire()!
    const heavy = limiter.acquire({ weight: 2 })
    expect(limiter.tryAcquire()).toBeUndefined()
    const light = limiter.acquire()
    expect(await stateOf(light)).toBe('pending')
    // Of a higher priority it would be next.
    ;(await limiter.acquire({ priority: 'high' })).release()
    held.release()
    ;(await heavy).release()
    ;(await light).release()
    expect(limiter.stats()).toMatchObject({ ...idle, granted: 4 })
  })

  test('that weighs more than all there is stands alone', async () => {
    const { limiter } = rig({ concurrency: 3 })
    const held = limiter.tryAcquire()!
    const heavy = limiter.acquire({ weight: 100 })
    const after = limiter.acquire()
    expect(await stateOf(heavy)).toBe('pending')
    held.release()
    const permit = await heavy
    expect(limiter.stats()).toMatchObject({ active: 100, limit: 3, holders: 1 })
    expect(await stateOf(after)).toBe('pending')
    permit.release()
    ;(await after).release()
    expect(limiter.stats()).toMatchObject(idle)
  })

  test('has a signal that is never aborted for nothing', () => {
    const { limiter } = rig()
    const permit = limiter.tryAcquire()!
    const { signal } = permit
    expect(permit.signal).toBe(signal)
    permit.release()
    expect(signal.aborted).toBe(false)
  })
})

describe('an operation', () => {
  test('begins at once, and gives what it gives', async () => {
    const { limiter } = rig()
    const fn = vi.fn(async () => 'value')
    const running = limiter.run(fn)
    expect(fn).toHaveBeenCalledTimes(1)
    expect(limiter.stats().active).toBe(1)
    expect(await running).toBe('value')
    expect(await limiter.run(() => 7)).toBe(7)
    expect(limiter.stats()).toMatchObject({ ...idle, granted: 2 })
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('thrown')
      },
    ],
    ['rejects', () => Promise.reject(new Error('thrown'))],
    [
      'gives what throws when it is awaited',
      () =>
        Object.defineProperty({}, 'then', {
          get() {
            throw new Error('thrown')
          },
        }),
    ],
  ])('that %s gives its slot back, at once and after a wait', async (_, fn) => {
    const { limiter } = rig()
    await expect(limiter.run<unknown>(fn)).rejects.toThrow('thrown')
    const held = limiter.tryAcquire()!
    const waiting = [limiter.run<unknown>(fn), limiter.run<unknown>(fn)]
    held.release()
    for (const one of waiting) await expect(one).rejects.toThrow('thrown')
    expect(limiter.stats()).toMatchObject({ ...idle, granted: 4 })
  })

  test('that waited begins outside of what gave its slot back', async () => {
    const { limiter } = rig()
    const held = limiter.tryAcquire()!
    const fn = vi.fn(() => 1)
    const running = limiter.run(fn)
    held.release()
    expect(fn).not.toHaveBeenCalled()
    expect(limiter.stats().active).toBe(1)
    expect(await running).toBe(1)
  })

  test('may give its slot back before its end', async () => {
    const { limiter } = rig()
    const rest = deferred<string>()
    const running = limiter.run((permit) => {
      permit.release()
      return rest.promise
    })
    limiter.tryAcquire()!.release()
    expect(await stateOf(running)).toBe('pending')
    rest.resolve('end')
    expect(await running).toBe('end')
    expect(limiter.stats()).toMatchObject({ ...idle, granted: 2 })
  })

  test('thousands that are over at once do not run into each other', async () => {
    const { limiter } = rig({ queue: 20_000 })
    const order: number[] = []
    await Promise.all(Array.from({ length: 20_000 }, (_, at) => limiter.run(() => order.push(at))))
    expect(order).toEqual(Array.from({ length: 20_000 }, (_, at) => at))
  })
})

describe('the queue', () => {
  test('refuses who comes when it is full, and says what there is', async () => {
    const { limiter } = rig({ name: 'background', queue: 2 })
    const held = limiter.tryAcquire()!
    const waiting = [limiter.acquire(), limiter.acquire()]
    await expect(limiter.acquire()).rejects.toMatchObject({
      code: 'ERR_DREY_OVERLOADED',
      message:
        'background.queue: 2 operations wait already, which is all that may; try again later, or raise it',
    })
    await expect(limiter.acquire({ priority: 'low' })).rejects.toMatchObject({ code: 'ERR_DREY_OVERLOADED' })
    expect(limiter.stats()).toMatchObject({ refused: 2, displaced: 0 })
    held.release()
    for (const one of waiting) (await one).release()
  })

  test('lets a higher priority take the place of the last with the lowest', async () => {
    const { limiter } = rig({ queue: 3 })
    const held = limiter.tryAcquire()!
    const [low, last, normal] = [
      limiter.acquire({ priority: 'low' }),
      limiter.acquire({ priority: 'low' }),
      limiter.acquire(),
    ]
    const high = limiter.acquire({ priority: 'high' })
    await expect(last).rejects.toMatchObject({
      code: 'ERR_DREY_OVERLOADED',
      message:
        'limiter.queue: gave way to one of priority high, because no more than 3 operations may wait; try again later, or raise it',
    })
    expect(limiter.stats()).toMatchObject({ refused: 1, displaced: 1 })
    held.release()
    for (const one of [high, normal, low]) (await one).release()
  })

  test('of none lets nobody wait', async () => {
    const { limiter } = rig({ queue: 0 })
    const held = await limiter.acquire()
    await expect(limiter.acquire({ priority: 'critical' })).rejects.toMatchObject({
      code: 'ERR_DREY_OVERLOADED',
    })
    held.release()
    ;(await limiter.acquire()).release()
  })

  test('keeps the first of each priority, whose turn will come', async () => {
    const { limiter } = rig({ queue: 1 })
    const held = limiter.tryAcquire()!
    const low = limiter.acquire({ priority: 'low' })
    await expect(limiter.acquire({ priority: 'critical' })).rejects.toMatchObject({
      code: 'ERR_DREY_OVERLOADED',
    })
    expect(limiter.stats()).toMatchObject({ refused: 1, displaced: 0 })
    held.release()
    ;(await low).release()
  })

  test('of an owner is full by itself', async () => {
    const { limiter } = rig({ name: 'group', queue: 10 })
    const owner = limiter.owner({ name: 'images', queue: 2 })
    const held = limiter.tryAcquire()!
    const low = limiter.acquire({ owner, priority: 'low' })
    const last = limiter.acquire({ owner, priority: 'low' })
    await expect(limiter.acquire({ owner, priority: 'low' })).rejects.toThrow(
      'group.images.queue: 2 operations wait',
    )
    const other = limiter.acquire({ priority: 'low' })
    const normal = limiter.acquire({ owner })
    await expect(last).rejects.toMatchObject({ code: 'ERR_DREY_OVERLOADED' })
    expect(owner.stats()).toEqual({ active: 0, waiting: 2 })
    held.release()
    for (const one of [normal, low, other]) (await one).release()
  })
})

describe('at run time', () => {
  test('concurrency and queue change at once', async () => {
    const { limiter } = rig()
    const held = limiter.tryAcquire()!
    const waiting = [limiter.acquire(), limiter.acquire({ weight: 2 })]
    limiter.configure({ queue: 1 })
    // Who waits already is not refused.
    expect(await stateOf(waiting[1]!)).toBe('pending')
    await expect(limiter.acquire()).rejects.toMatchObject({ code: 'ERR_DREY_OVERLOADED' })
    limiter.configure({ concurrency: 4 })
    for (const one of waiting) (await one).release()
    limiter.configure({ concurrency: 1 })
    expect(limiter.tryAcquire()).toBeUndefined()
    held.release()
    expect(limiter.stats()).toMatchObject({ ...idle, concurrency: 1, queue: 1 })
  })

  test('with a queue that has become too short, who comes costs nobody more than it would else', async () => {
    const { limiter } = rig({ concurrency: 2 })
    const owner = limiter.owner({ queue: 2 })
    const held = limiter.tryAcquire()!
    const low = { priority: 'low', weight: 2 } as const
    const waiting = [limiter.acquire({ ...low, owner }), limiter.acquire(low), limiter.acquire(low)]
    const last = limiter.acquire({ ...low, owner })
    limiter.configure({ queue: 1 })
    // Room for it, and its turn: it does not wait, so it needs no place.
    ;(await limiter.acquire({ priority: 'high' })).release()
    expect(limiter.stats()).toMatchObject({ refused: 0, waiting: { low: 4 } })
    // One goes for one that came.
    const normal = limiter.acquire({ owner, weight: 2 })
    await expect(last).rejects.toMatchObject({ code: 'ERR_DREY_OVERLOADED' })
    expect(limiter.stats()).toMatchObject({ refused: 1, displaced: 1, waiting: { low: 3, normal: 1 } })
    held.release()
    for (const one of [normal, ...waiting]) (await one).release()
    expect(limiter.stats()).toMatchObject(idle)
  })

  test.each([
    [10, 0.9, 9],
    [90, 0.7, 63],
    [100, 0.7, 70],
    [4, 0.9, 3],
    [4, 0.5, 2],
    [4, 0.2, 1],
    [1, 0.2, 1],
    [Number.MAX_SAFE_INTEGER, 1, Number.MAX_SAFE_INTEGER],
  ])('%d by the factor %d is %d', async (concurrency, factor, limit) => {
    const { limiter } = rig({ concurrency })
    limiter.setFactor(factor)
    expect(limiter.stats()).toMatchObject({ concurrency, factor, limit })
    const all = limiter.tryAcquire({ weight: limit })!
    const more = limiter.acquire()
    expect(await stateOf(more)).toBe('pending')
    all.release()
    ;(await more).release()
  })

  test('what is held when the factor falls stays so, and nobody comes in before there is room', async () => {
    const { limiter } = rig({ concurrency: 10 })
    const held = Array.from({ length: 10 }, () => limiter.tryAcquire()!)
    limiter.setFactor(0.2)
    const waiting = limiter.acquire()
    for (const permit of held.slice(0, 8)) permit.release()
    expect(await stateOf(waiting)).toBe('pending')
    expect(limiter.stats()).toMatchObject({ active: 2, limit: 2 })
    limiter.setFactor(1)
    ;(await waiting).release()
    for (const permit of held) permit.release()
    expect(limiter.stats()).toMatchObject(idle)
  })
})

describe('closing', () => {
  test('refuses who waits and who comes, and is over when nothing is held', async () => {
    const { limiter, clock } = rig({ waitTimeout: 100, holdTimeout: 1000 })
    const held = limiter.tryAcquire()!
    const signal = new AbortController()
    const waiting = [limiter.acquire({ signal: signal.signal }), limiter.run(() => 1)]
    const closing = limiter.close()
    for (const one of waiting) {
      await expect(one).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED', message: 'limiter was closed' })
    }
    signal.abort()
    await expect(limiter.acquire()).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    await expect(limiter.run(() => 1)).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED' })
    expect(() => limiter.tryAcquire()).toThrow('limiter was closed')
    expect(await stateOf(closing)).toBe('pending')
    held.release()
    await closing
    await limiter.close()
    await limiter[Symbol.asyncDispose]()
    expect(limiter.stats()).toMatchObject({ ...idle, granted: 1, closed: 5, aborted: 0 })
    expect(clock.pending).toBe(0)
  })

  test('an owner leaves the others alone', async () => {
    const { limiter } = rig({ name: 'group', concurrency: 2 })
    const [one, other] = [limiter.owner({ name: 'one' }), limiter.owner({ name: 'other' })]
    const held = limiter.tryAcquire({ owner: one })!
    const blocking = limiter.acquire({ owner: one, weight: 2 })
    const waiting = limiter.acquire({ owner: other })
    const closing = one.close()
    await expect(blocking).rejects.toMatchObject({ code: 'ERR_DREY_CLOSED', message: 'group.one was closed' })
    // What the closed one waited for is there for the other.
    const permit = await waiting
    expect(await stateOf(closing)).toBe('pending')
    expect(() => limiter.tryAcquire({ owner: one })).toThrow('group.one was closed')
    held.release()
    await closing
    permit.release()
    expect(other.stats()).toEqual({ active: 0, waiting: 0 })
  })
})

test('the longest wait is of those that waited, and of those that still do', async () => {
  const { limiter, clock } = rig()
  let permit: Permit = limiter.tryAcquire()!
  const waiting = limiter.acquire()
  clock.advance(30)
  // A clock that is set says nothing of a wait.
  clock.jump(1e6)
  expect(limiter.stats().longestWait).toBe(30)
  permit.release()
  permit = await waiting
  clock.advance(1000)
  expect(limiter.stats().longestWait).toBe(30)
  const longer = limiter.acquire()
  clock.advance(45)
  expect(limiter.stats().longestWait).toBe(45)
  permit.release()
  ;(await longer).release()
  expect(limiter.stats().longestWait).toBe(45)
})
