import { getEventListeners } from 'node:events'
import { describe, expect, test, vi } from 'vitest'
import { createLimiter, type LimiterOptions, type Permit } from '../../../lib/resilience/limiter/limiter.js'
import { FakeClock } from '../../helpers/clock.js'

/* How a wait or a hold ends before its time: by its timeout, by the caller's signal, and by both at once. */

function rig(options: LimiterOptions = {}) {
  const clock = new FakeClock()
  return { clock, limiter: createLimiter({ concurrency: 1, queue: 10, ...options }, clock) }
}

const settled = (): Promise<void> => new Promise(setImmediate)
const listeners = ({ signal }: AbortController): number => getEventListeners(signal, 'abort').length
const never = (): Promise<never> => new Promise(() => {})
const reason = { why: 'the client left' }
const aborted = { name: 'AbortError', code: 'ERR_DREY_ABORTED', cause: reason }

describe('a wait', () => {
  test('is over when its time is, and says which option that is', async () => {
    const { limiter, clock } = rig({ name: 'reads', waitTimeout: '1s' })
    const held = limiter.tryAcquire()!
    const waiting = limiter.acquire()
    const shorter = limiter.acquire({ waitTimeout: 10 })
    clock.advance(10)
    await expect(shorter).rejects.toMatchObject({
      code: 'ERR_DREY_TIMEOUT',
      message:
        'reads.waitTimeout: waited 10 ms for a turn, which is all that it may; try again later, or raise it or reads.concurrency',
    })
    clock.advance(989)
    expect(limiter.stats()).toMatchObject({ timedOut: 1, waiting: { normal: 1 } })
    clock.advance(1)
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    held.release()
    expect(limiter.stats()).toMatchObject({ active: 0, timedOut: 2 })
    expect(clock.pending).toBe(0)
  })

  test('that is over lets those go on who waited behind it', async () => {
    const { limiter, clock } = rig({ concurrency: 2 })
    const held = limiter.tryAcquire()!
    const first = limiter.acquire({ weight: 2, waitTimeout: 10 })
    const second = limiter.acquire()
    clock.advance(10)
    await expect(first).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    ;(await second).release()
    const controller = new AbortController()
    const third = limiter.acquire({ weight: 2, signal: controller.signal })
    const fourth = limiter.acquire()
    controller.abort(reason)
    await expect(third).rejects.toMatchObject(aborted)
    ;(await fourth).release()
    held.release()
  })

  test.each(['grant first', 'timeout first'])('whose time is over as its turn comes: %s', async (order) => {
    const { limiter, clock } = rig({ waitTimeout: 10 })
    const held = limiter.tryAcquire()!
    const waiting = limiter.acquire()
    if (order === 'grant first') {
      held.release()
      clock.advance(10)
      ;(await waiting).release()
    } else {
      clock.advance(10)
      held.release()
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    }
    expect(limiter.stats()).toMatchObject({ active: 0, timedOut: order === 'grant first' ? 0 : 1 })
    expect(clock.pending).toBe(0)
  })

  test('has one timer, whoever waits how long, and none that outlives it', async () => {
    const { limiter, clock } = rig({ queue: 100 })
    const held = limiter.tryAcquire()!
    const waits = Array.from({ length: 100 }, (_, at) =>
      limiter.acquire({ waitTimeout: 1 + ((at * 37) % 100) }),
    )
    const over: number[] = []
    for (const [at, wait] of waits.entries()) wait.catch(() => over.push(1 + ((at * 37) % 100)))
    for (let ms = 1; ms <= 100; ms += 1) {
      expect(clock.pending).toBe(1)
      clock.advance(1)
      await settled()
      expect(over.length).toBe(ms)
    }
    expect(over).toEqual(over.toSorted((a, b) => a - b))
    expect(clock.pending).toBe(0)
    held.release()
  })

  test('is ended by its signal, with its reason, and listens to it no longer than it lasts', async () => {
    const { limiter } = rig()
    const held = limiter.tryAcquire()!
    const [left, stayed] = [new AbortController(), new AbortController()]
    const waiting = limiter.run(() => 1, { signal: left.signal })
    const other = limiter.acquire({ signal: stayed.signal })
    expect([listeners(left), listeners(stayed)]).toEqual([1, 1])
    left.abort(reason)
    await expect(waiting).rejects.toMatchObject({
      ...aborted,
      message: "waiting for a turn of limiter was aborted by the caller's signal",
    })
    held.release()
    const permit = await other
    expect([listeners(left), listeners(stayed)]).toEqual([0, 0])
    permit.release()
    stayed.abort()
    expect(limiter.stats()).toMatchObject({ active: 0, aborted: 1, granted: 2 })
  })

  test('does not begin with a signal that is aborted already', async () => {
    const { limiter } = rig()
    const signal = AbortSignal.abort(reason)
    const fn = vi.fn()
    await expect(limiter.acquire({ signal })).rejects.toMatchObject(aborted)
    await expect(limiter.run(fn, { signal })).rejects.toMatchObject(aborted)
    expect(() => limiter.tryAcquire({ signal })).toThrow(expect.objectContaining(aborted))
    expect(fn).not.toHaveBeenCalled()
    expect(limiter.stats()).toMatchObject({ active: 0, granted: 0, aborted: 3 })
  })
})

test('many who wait by one signal listen to it once, and all leave before anybody is granted anything', async () => {
  const { limiter } = rig({ queue: 1000, concurrency: 2 })
  const held = limiter.tryAcquire()!
  const controller = new AbortController()
  const { signal } = controller
  const heavy = limiter.acquire({ weight: 2, signal })
  const waits = Array.from({ length: 500 }, () => limiter.acquire({ signal }))
  const other = limiter.acquire()
  expect(listeners(controller)).toBe(1)
  controller.abort(reason)
  for (const one of [heavy, ...waits]) await expect(one).rejects.toMatchObject(aborted)
  ;(await other).release()
  held.release()
  expect(listeners(controller)).toBe(0)
  expect(limiter.stats()).toMatchObject({ active: 0, granted: 2, aborted: 501 })
})

test('whoever is told of an abort may release what others hold by it: they are told no more', () => {
  const { limiter } = rig({ concurrency: 2 })
  const controller = new AbortController()
  const [one, other] = [
    limiter.tryAcquire({ signal: controller.signal })!,
    limiter.tryAcquire({ signal: controller.signal })!,
  ]
  const left = other.signal
  one.signal.addEventListener('abort', () => other.release())
  // The order in which they began to listen is that in which they are told.
  left.addEventListener('abort', () => one.release())
  controller.abort(reason)
  expect([one.signal.aborted, left.aborted]).toEqual([false, true])
  other.release()
  expect(limiter.stats()).toMatchObject({ active: 0 })
})

describe('a signal that is aborted in the turn of the grant', () => {
  test('by which a slot is released before the wait is told of it, grants it to somebody else', async () => {
    const { limiter } = rig()
    const held = limiter.tryAcquire()!
    const controller = new AbortController()
    controller.signal.addEventListener('abort', () => held.release())
    const waiting = limiter.acquire({ signal: controller.signal })
    const other = limiter.acquire()
    controller.abort(reason)
    await expect(waiting).rejects.toMatchObject(aborted)
    ;(await other).release()
    expect(limiter.stats()).toMatchObject({ active: 0, granted: 2, aborted: 1 })
  })

  test('before it, ends the wait', async () => {
    const { limiter } = rig()
    const held = limiter.tryAcquire()!
    const controller = new AbortController()
    const waiting = limiter.acquire({ signal: controller.signal })
    controller.abort(reason)
    held.release()
    await expect(waiting).rejects.toMatchObject(aborted)
    expect(limiter.stats()).toMatchObject({ active: 0, granted: 1 })
  })

  test('after it, is told by the permit, which is there', async () => {
    const { limiter } = rig()
    const held = limiter.tryAcquire()!
    const controller = new AbortController()
    const waiting = limiter.acquire({ signal: controller.signal })
    held.release()
    controller.abort(reason)
    const permit = await waiting
    expect(permit.signal.reason).toMatchObject(aborted)
    permit.release()
    expect(limiter.stats()).toMatchObject({ active: 0, granted: 2, aborted: 0 })
  })

  test('after it, keeps the operation from beginning', async () => {
    const { limiter } = rig()
    const held = limiter.tryAcquire()!
    const controller = new AbortController()
    const fn = vi.fn()
    const running = limiter.run(fn, { signal: controller.signal })
    const next = limiter.acquire()
    held.release()
    controller.abort(reason)
    await expect(running).rejects.toMatchObject(aborted)
    expect(fn).not.toHaveBeenCalled()
    ;(await next).release()
    expect(limiter.stats()).toMatchObject({ active: 0 })
    expect(listeners(controller)).toBe(0)
  })
})

describe('a holder', () => {
  test('past its time is told, and keeps its slot until it ends', async () => {
    const { limiter, clock } = rig({ name: 'reads', holdTimeout: 100 })
    let permit: Permit | undefined
    let end: ((value: string) => void) | undefined
    const running = limiter.run((given) => {
      permit = given
      return new Promise<string>((resolve) => {
        end = resolve
      })
    })
    const { signal } = permit!
    const waiting = limiter.acquire({ holdTimeout: 5 })
    clock.advance(99)
    expect([signal.aborted, clock.pending]).toEqual([false, 1])
    clock.advance(1)
    const timedOut = {
      code: 'ERR_DREY_TIMEOUT',
      message:
        'reads.holdTimeout: an operation took longer than the 100 ms that it may; its slot is taken until it ends',
    }
    await expect(running).rejects.toMatchObject(timedOut)
    expect(signal.reason).toMatchObject(timedOut)
    expect(limiter.stats()).toMatchObject({ active: 1, overdue: 1, overran: 1, waiting: { normal: 1 } })
    end!('too late')
    const next = await waiting
    expect(limiter.stats()).toMatchObject({ active: 1, overdue: 0, overran: 1 })
    clock.advance(5)
    // Asked for afterwards, it says so all the same.
    expect(next.signal.reason).toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    next.release()
    expect(limiter.stats()).toMatchObject({ active: 0, overdue: 0, overran: 2 })
    expect(clock.pending).toBe(0)
  })

  test('whose time is over before it could begin does not begin', async () => {
    const { limiter, clock } = rig()
    const held = limiter.tryAcquire()!
    const fn = vi.fn()
    const running = limiter.run(fn, { holdTimeout: 5 })
    clock.after(10, () => held.release())
    // Both within one turn, as when something else keeps the event loop.
    clock.advance(20)
    await expect(running).rejects.toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    expect(fn).not.toHaveBeenCalled()
    expect(limiter.stats()).toMatchObject({ active: 0, overdue: 0, overran: 1 })
  })

  test('that ends in time is told nothing', async () => {
    const { limiter, clock } = rig({ holdTimeout: 100 })
    const permit = limiter.tryAcquire()!
    const { signal } = permit
    permit.release()
    expect(clock.pending).toBe(0)
    clock.advance(1000)
    expect([signal.aborted, permit.signal === signal]).toEqual([false, true])
    expect(limiter.stats()).toMatchObject({ overran: 0 })
  })

  test('whose caller left is told; the caller does not wait for its end, and its failure is nobody’s', async () => {
    const { limiter } = rig()
    const controller = new AbortController()
    let fail: ((error: Error) => void) | undefined
    const told = vi.fn()
    const running = limiter.run(
      ({ signal }) => {
        signal.addEventListener('abort', () => told(signal.reason))
        return new Promise<never>((_, reject) => {
          fail = reject
        })
      },
      { signal: controller.signal },
    )
    controller.abort(reason)
    await expect(running).rejects.toMatchObject(aborted)
    expect(told).toHaveBeenCalledExactlyOnceWith(expect.objectContaining(aborted))
    expect(limiter.stats()).toMatchObject({ active: 1, aborted: 0 })
    fail!(new Error('late'))
    // An unhandled rejection would fail this run.
    await settled()
    expect(limiter.stats()).toMatchObject({ active: 0 })
    expect(listeners(controller)).toBe(0)
  })

  test('that never asked for its signal does not listen to the caller’s', () => {
    const { limiter } = rig()
    const controller = new AbortController()
    const permit = limiter.tryAcquire({ signal: controller.signal })!
    expect(listeners(controller)).toBe(0)
    expect(permit.signal.aborted).toBe(false)
    expect(listeners(controller)).toBe(1)
    permit.release()
    expect(listeners(controller)).toBe(0)
    controller.abort()
    expect(permit.signal.aborted).toBe(false)
  })

  test('whose caller left and whose time is over is told once, and counted as overdue', async () => {
    const { limiter, clock } = rig({ holdTimeout: 10 })
    const controller = new AbortController()
    let permit: Permit | undefined
    const running = limiter.run(
      (given) => {
        permit = given
        return never()
      },
      { signal: controller.signal },
    )
    controller.abort(reason)
    await expect(running).rejects.toMatchObject(aborted)
    clock.advance(10)
    expect(permit!.signal.reason).toMatchObject(aborted)
    expect(limiter.stats()).toMatchObject({ active: 1, overdue: 1 })
    permit!.release()
    expect(limiter.stats()).toMatchObject({ active: 0, overdue: 0 })
  })

  test('may use the limiter while it is told', async () => {
    const { limiter, clock } = rig({ holdTimeout: 10 })
    const permit = limiter.tryAcquire()!
    const waiting = limiter.acquire({ waitTimeout: 10 })
    const refused = waiting.catch((error: unknown) => error)
    let another: Promise<Permit> | undefined
    permit.signal.addEventListener('abort', () => {
      permit.release()
      another = limiter.acquire()
    })
    clock.advance(10)
    // Whichever was first, nobody is lost.
    const first = await refused
    if ('release' in (first as Permit)) (first as Permit).release()
    else expect(first).toMatchObject({ code: 'ERR_DREY_TIMEOUT' })
    ;(await another!).release()
    expect(limiter.stats()).toMatchObject({ active: 0, overdue: 0, waiting: { normal: 0 } })
    expect(clock.pending).toBe(0)
  })
})

test('a timer of the limiter does not keep the process alive', () => {
  const set: boolean[] = []
  const clock = new FakeClock()
  const limiter = createLimiter(
    { concurrency: 1, holdTimeout: 10 },
    {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      after(ms, fn, awake = false) {
        set.push(awake)
        return clock.after(ms, fn)
      },
    },
  )
  limiter.tryAcquire()!.release()
  expect(set).toEqual([false])
})
