import { expect, test } from 'vitest'
import { createLimiter, type LimiterOwner, type Priority } from '../../../lib/resilience/limiter/limiter.js'
import { PATIENCE } from '../../../lib/resilience/limiter/schedule.js'
import { FakeClock } from '../../helpers/clock.js'

/** Who comes when: one every so many milliseconds. */
interface Arrivals {
  readonly every: number
  readonly priority: Priority
  readonly owner?: LimiterOwner
  readonly weight?: number
}

interface Grant {
  readonly by: Arrivals
  readonly waited: number
  /** Of each priority, how many waited when this one was granted. */
  readonly left: Readonly<Record<Priority, number>>
}

const SLOTS = 4
const QUEUE = 400
/** Milliseconds that an operation takes: 400 a second are what the slots can do. */
const WORK = 10

/** What is granted in so many milliseconds of virtual time. */
async function simulate(
  ms: number,
  arrivalsFor: (limiter: ReturnType<typeof createLimiter>) => readonly Arrivals[],
): Promise<Grant[]> {
  const clock = new FakeClock()
  const limiter = createLimiter({ concurrency: SLOTS, queue: QUEUE }, clock)
  const arrivals = arrivalsFor(limiter)
  const grants: Grant[] = []
  const refused = (error: { code?: string }): void => {
    if (error.code !== 'ERR_DREY_OVERLOADED' && error.code !== 'ERR_DREY_CLOSED') throw error
  }
  const settled = (): Promise<void> => new Promise(setImmediate)
  for (let now = 0; now < ms; now += 1) {
    for (const by of arrivals) {
      if (now % by.every !== 0) continue
      const came = clock.now()
      const { every: _, ...wanted } = by
      limiter.acquire(wanted).then((permit) => {
        grants.push({ by, waited: clock.now() - came, left: limiter.stats().waiting })
        clock.after(WORK, () => permit.release())
      }, refused)
    }
    await settled()
    clock.advance(1)
    await settled()
  }
  await Promise.all([limiter.close(), settled().then(() => clock.advance(WORK))])
  return grants
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

test('under a flood of low priority, high waits less than a tenth as long', async () => {
  // Five times what the slots can do.
  const low: Arrivals = { every: 1, priority: 'low' }
  const more: Arrivals = { every: 1, priority: 'low' }
  const high: Arrivals = { every: 25, priority: 'high' }
  const grants = await simulate(8000, () => [low, more, high])
  // Those of the first two seconds found a queue that was not yet full.
  const steady = grants.slice(grants.length / 4)
  const waits = (priority: Priority): number[] =>
    steady.filter(({ by }) => by.priority === priority).map(({ waited }) => waited)
  expect(waits('high').length).toBeGreaterThan(200)
  expect(waits('low').length).toBeGreaterThan(1500)
  expect(mean(waits('high'))).toBeLessThan(mean(waits('low')) / 10)
  expect(Math.max(...waits('high'))).toBeLessThan(Math.min(...waits('low')) / 10)
})

test('under a flood of all that goes before it, the oldest low still gets its turn within the bound', async () => {
  const grants = await simulate(8000, () => [
    { every: 2, priority: 'critical' },
    { every: 2, priority: 'high' },
    { every: 2, priority: 'normal' },
    { every: 2, priority: 'low' },
  ])
  for (const priority of ['low', 'normal', 'high'] as const) {
    let passedOver = 0
    let most = 0
    let turns = 0
    for (const { by, left } of grants) {
      if (by.priority === priority) turns += 1
      passedOver = by.priority === priority || left[priority] === 0 ? 0 : passedOver + 1
      most = Math.max(most, passedOver)
    }
    expect(most).toBeLessThanOrEqual(PATIENCE[priority] + 2)
    expect(turns).toBeGreaterThan(grants.length / (2 * (PATIENCE[priority] + 3)))
  }
  const critical = grants.filter(({ by }) => by.priority === 'critical').length
  expect(critical).toBeGreaterThan(grants.length / 2)
})

test('owners that all want more than there is get it by their shares, and one that wants little gets all that it wants', async () => {
  const grants = await simulate(6000, (limiter) => [
    { every: 2, priority: 'normal', owner: limiter.owner({ share: 3, queue: 100 }) },
    { every: 2, priority: 'normal', owner: limiter.owner({ share: 1, queue: 100 }) },
    { every: 2, priority: 'normal', owner: limiter.owner({ share: 2, queue: 100 }), weight: 2 },
    { every: 100, priority: 'normal', owner: limiter.owner({ share: 1, queue: 100 }) },
  ])
  const steady = grants.slice(grants.length / 4)
  const arrivals = [...new Set(steady.map(({ by }) => by))].sort(
    (a, b) =>
      a.every - b.every ||
      steady.filter(({ by }) => by === b).length - steady.filter(({ by }) => by === a).length,
  )
  const takenBy = (one: Arrivals): number =>
    steady.filter(({ by }) => by === one).reduce((sum, { by }) => sum + (by.weight ?? 1), 0)
  const little = arrivals.find(({ every }) => every === 100)!
  const heavy = arrivals.find(({ weight }) => weight === 2)!
  const [three, one] = arrivals.filter((by) => by !== little && by !== heavy)
  expect(takenBy(three!) / takenBy(one!)).toBeCloseTo(3, 1)
  expect(takenBy(heavy) / takenBy(one!)).toBeCloseTo(2, 1)
  const waits = steady.filter(({ by }) => by === little).map(({ waited }) => waited)
  expect(waits.length).toBeGreaterThan(40)
  // A turn of its own comes among any few of the others.
  expect(Math.max(...waits)).toBeLessThan(10 * WORK)
})
