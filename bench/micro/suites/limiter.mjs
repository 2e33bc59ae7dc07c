/*
 * What the limiter costs an operation: where a slot is free, and where so many wait. A list of promises that knows no
 * priority, timeout or signal stands beside it for scale.
 */
import { createLimiter } from '../../../dist/resilience/limiter/limiter.js'
import { showCount } from '../../shared/table.mjs'

const ROUNDS = { full: 9, quick: 5 }
/** The most that somebody who waits among many may cost, against a plain list with as many. */
const MOST = 6

/** Median of the nanoseconds of processor time, collecting garbage included, that one operation takes, of `times` or as many as `run` says that it did. */
async function measure(rounds, times, run) {
  const costs = []
  await run(times)
  for (let round = 0; round < rounds; round += 1) {
    const start = process.cpuUsage()
    const done = (await run(times)) ?? times
    const { user, system } = process.cpuUsage(start)
    costs.push(((user + system) * 1000) / done)
  }
  return costs.toSorted((a, b) => a - b)[rounds >> 1]
}

/** What a limiter is at the least: one slot, and those who wait for it. */
function plainList() {
  const waiting = []
  let first = 0
  let taken = false
  return {
    acquire: () =>
      new Promise((resolve) => {
        if (taken) waiting.push(resolve)
        else {
          taken = true
          resolve()
        }
      }),
    release() {
      const next = waiting[first]
      if (next === undefined) {
        taken = false
        return
      }
      waiting[first] = undefined
      first += 1
      if (first > 1e5) waiting.splice(0, first)
      if (first > waiting.length) first = 0
      next()
    },
  }
}

/** Workers of which one has the slot and `depth` wait, until `times` operations are done; gives how many were. */
function queued(depth, acquire) {
  return async (times) => {
    let done = 0
    const work = async (worker) => {
      while (done < times) {
        const permit = await acquire(worker)
        done += 1
        permit.release()
      }
    }
    await Promise.all(Array.from({ length: depth + 1 }, (_, worker) => work(worker)))
    return done
  }
}

const PRIORITIES = ['low', 'normal', 'high', 'critical']

export async function suite({ quick }) {
  const rounds = quick ? ROUNDS.quick : ROUNDS.full
  const sync = quick ? 200_000 : 1_000_000
  const async = quick ? 20_000 : 100_000
  const table = [['', 'ns', 'a plain list, ns']]
  const row = (name, ns, plain) =>
    table.push([name, ns.toFixed(0), plain === undefined ? '' : plain.toFixed(0)])

  const repeat = (fn) => (times) => {
    for (let count = 0; count < times; count += 1) fn()
  }
  const repeatAsync = (fn) => async (times) => {
    for (let count = 0; count < times; count += 1) await fn()
  }
  const free = createLimiter({ concurrency: 8 })
  const timed = createLimiter({ concurrency: 8, holdTimeout: '1m' })
  const owner = free.owner({ share: 3 })
  const given = { priority: 'high', weight: 2, owner }
  row(
    'tryAcquire, release',
    await measure(
      rounds,
      sync,
      repeat(() => free.tryAcquire().release()),
    ),
  )
  row(
    'with priority, weight, owner',
    await measure(
      rounds,
      sync,
      repeat(() => free.tryAcquire(given).release()),
    ),
  )
  row(
    'with a holdTimeout, alone',
    await measure(
      rounds,
      async,
      repeat(() => timed.tryAcquire().release()),
    ),
  )
  const held = timed.tryAcquire()
  row(
    'with a holdTimeout, beside another',
    await measure(
      rounds,
      async,
      repeat(() => timed.tryAcquire().release()),
    ),
  )
  held.release()
  const list = plainList()
  const plainTurn = repeatAsync(async () => {
    await list.acquire()
    list.release()
  })
  row(
    'await acquire, release',
    await measure(
      rounds,
      async,
      repeatAsync(async () => (await free.acquire()).release()),
    ),
    await measure(rounds, async, plainTurn),
  )
  row(
    'await run',
    await measure(
      rounds,
      async,
      repeatAsync(() => free.run(() => 1)),
    ),
  )

  let worst = 0
  for (const depth of [1, 100, 1000, 10_000]) {
    const plain = plainList()
    const plainCost = await measure(
      rounds,
      async,
      queued(depth, () => plain.acquire().then(() => plain)),
    )
    const measured = (options, mixed) => {
      const limiter = createLimiter({ concurrency: 1, queue: 1e6, ...options })
      const owners = Array.from({ length: 8 }, (_, at) => limiter.owner({ share: 1 + at }))
      const kinds = owners.flatMap((one) => PRIORITIES.map((priority) => ({ priority, owner: one })))
      return measure(
        rounds,
        async,
        queued(depth, (worker) => limiter.acquire(mixed ? kinds[worker % kinds.length] : undefined)),
      )
    }
    const cost = await measured({}, false)
    worst = Math.max(worst, cost / plainCost)
    row(`${showCount(depth)} wait`, cost, plainCost)
    row('with a waitTimeout', await measured({ waitTimeout: '1h' }, false))
    row('of all priorities and 8 owners', await measured({}, true))
  }
  return {
    notes: [`median of ${rounds} rounds, processor time of one operation from its request to its release`],
    table,
    claims: [
      {
        what: `waiting costs at most ${MOST} × what it does in a plain list`,
        actual: `${worst.toFixed(1)} ×`,
        holds: worst <= MOST,
      },
    ],
  }
}
