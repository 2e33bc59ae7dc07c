import { expect, test } from 'vitest'
import { Course } from '../../../../lib/http/dashboard/course.js'
import { LIVE_MS, WINDOWS } from '../../../../lib/http/dashboard/messages.js'
import { History } from '../../../../lib/metrics/health/history.js'
import { type Reading, readingOf } from '../../../../lib/metrics/health/vitals.js'
import { rig } from '../../../helpers/rig.js'

const SECOND = 1000
const DAY = 86_400_000
const EPOCH = 1_600_000_000_000

async function reader(): Promise<(answers: number) => Reading> {
  const stats = (await rig('tiers')).cache.stats()
  return (answers) => readingOf({ ...stats, hits: answers, misses: 0 }, [], undefined)
}

/** A history of so many days, of one answer a second. */
function historyOf(days: number, read: (answers: number) => Reading): { history: History; at: number } {
  const history = new History(0, read(0))
  let at = 0
  while (at < days * DAY) {
    at += at < (days - 0.5) * DAY ? 600 * SECOND : 10 * SECOND
    history.add(at, read(at / SECOND))
  }
  return { history, at }
}

function courseOf(history: History, now: () => number, first: Reading): Course {
  const monitor = {
    lines: (span: number) => history.lines(now(), span),
    newest: (span: number) => history.newest(span),
  }
  return new Course(first, monitor, () => EPOCH)
}

test('after 30 days and more what is sent is still small', async () => {
  const read = await reader()
  const { history, at } = historyOf(31, read)
  // Of a cache with two tiers.
  expect(history.memoryBytes).toBeLessThanOrEqual(600 * 1024)
  const course = courseOf(history, () => at, read(0))
  course.begin(at, read(at / SECOND))
  const names = Object.keys(WINDOWS) as Array<keyof typeof WINDOWS>
  const windows = names.map((name) => course.window(name))
  // Where a line ends just when the window begins, it is one more.
  for (const [at, length] of [60, 60, 144, 720].entries()) {
    expect(windows[at]!.length).toBeGreaterThanOrEqual(length)
    expect(windows[at]!.length).toBeLessThanOrEqual(length + 2)
  }
  expect(JSON.stringify(windows).length).toBeLessThan(400_000)
  for (const lines of windows) {
    expect(lines.at(-1)![0]).toBe((EPOCH + at) / 1000)
    expect(lines.at(-1)![1 + course.columns.indexOf('requests')]).toBeCloseTo(1)
    expect([...lines].sort((a, b) => a[0]! - b[0]!)).toEqual(lines)
  }
})

test('of an hour the largest percentile is shown, and the mean of a rate', async () => {
  const read = await reader()
  const columns = courseOf(new History(0, read(0)), () => 0, read(0)).columns
  const [p99, requests] = [columns.indexOf('p99 small'), columns.indexOf('requests')]
  // As many rows as make an hour of six.
  const lines = Array.from({ length: 4320 }, (_, row) => {
    const values = columns.map(() => Number.NaN)
    values[p99] = row % 6
    values[requests] = row % 6
    return { at: (row + 1) * 600 * SECOND, values }
  })
  const course = new Course(read(0), { lines: () => lines, newest: () => 0 }, () => 0)
  const month = course.window('30d')
  expect(month).toHaveLength(720)
  expect([month[3]![1 + p99], month[3]![1 + requests], month[3]![1 + columns.indexOf('errors')]]).toEqual([
    5,
    2.5,
    null,
  ])
})

test('the last minute is kept by the second, and the coarser course is before it', async () => {
  const read = await reader()
  const history = new History(0, read(0))
  let now = 0
  for (let window = 1; window <= 30; window += 1) {
    now = window * 10 * SECOND
    history.add(now, read(now / SECOND))
  }
  const course = courseOf(history, () => now, read(0))
  course.begin(now, read(now / SECOND))
  expect(course.live()).toHaveLength(7)
  for (let tick = 0; tick < 300; tick += 1) {
    now += SECOND
    const line = course.tick(now, read(now / SECOND))
    expect(line[1 + course.columns.indexOf('requests')]).toBeCloseTo(1)
  }
  expect(course.live()).toHaveLength(LIVE_MS / SECOND + 1)
  // Nobody looked on for a while, and one does again.
  now += 20 * SECOND
  course.begin(now, read(now / SECOND))
  expect(course.live()).toHaveLength(41)
  now += 90 * SECOND
  course.begin(now, read(now / SECOND))
  expect(course.live()).toHaveLength(0)
})
