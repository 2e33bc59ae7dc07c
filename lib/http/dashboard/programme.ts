import { CATEGORIES } from '../../buffers/strategy.js'
import type { Cache } from '../../cache/cache.js'
import type { Clock } from '../../clock.js'
import { messageOf } from '../../errors.js'
import { MOST_TIERS } from '../../metrics/health/details.js'
import { type Reading, readingOf } from '../../metrics/health/vitals.js'
import { sourceOf } from '../../metrics/source.js'
import { LatestAdvice } from './advice.js'
import { eventOf, type Programme } from './audience.js'
import { Course } from './course.js'
import {
  type DashboardState,
  type HistoryMessage,
  type TickMessage,
  type TroubleMessage,
  WINDOWS,
  type WindowMessage,
  type WindowName,
} from './messages.js'
import { stateOf } from './state.js'

const NAMES = Object.keys(WINDOWS) as WindowName[]

/**
 * What those who look on at `cache` are told. Nothing in it throws: a store of somebody's own that cannot say its numbers is told as `trouble`.
 *
 * @throws `ERR_DREY_CONFIG` for what is no cache of this package
 */
export function programmeOf(cache: Cache, title: string, clock: Clock): Programme {
  const source = sourceOf(cache, 'cache')
  const advice = new LatestAdvice(cache, clock)
  const told = new Map<WindowName, number | undefined>()
  let course: Course | undefined

  function read(): Reading {
    return readingOf(source.stats(), source.latencies(), source.runtime()?.loopDelay)
  }

  function begin(): Course {
    const reading = read()
    course ??= new Course(reading, source.monitor, () => clock.now() - source.now())
    course.begin(source.now(), reading)
    for (const name of NAMES) told.set(name, course.newest(name))
    return course
  }

  function state({ stats }: Reading): DashboardState {
    return stateOf({ cache, source, stats, now: clock.now(), advice: advice.current() })
  }

  function news(from: Course): string {
    return NAMES.filter((name) => from.newest(name) !== told.get(name))
      .map((name) => {
        told.set(name, from.newest(name))
        return eventOf('window', { name, lines: from.window(name) } satisfies WindowMessage)
      })
      .join('')
  }

  function history(): string {
    const from = course ?? begin()
    const reading = read()
    const windows = NAMES.map((name) => [name, from.window(name)])
    return eventOf('history', {
      title,
      columns: from.columns,
      tiers: reading.stats.tiers.slice(0, MOST_TIERS).map(({ name }) => name),
      sizes: CATEGORIES,
      live: from.live(),
      windows: Object.fromEntries(windows) as HistoryMessage['windows'],
      state: state(reading),
    } satisfies HistoryMessage)
  }

  function tick(): string {
    // It could not be read when somebody came.
    if (course === undefined) return history()
    const reading = read()
    const line = course.tick(source.now(), reading)
    return news(course) + eventOf('tick', { line, state: state(reading) } satisfies TickMessage)
  }

  return {
    begin() {
      // What fails here fails again in what is told first, and is said there.
      attempt(() => {
        begin()
        return ''
      })
    },
    first: () => attempt(history),
    tick: () => attempt(tick),
  }
}

function attempt(make: () => string): string {
  try {
    return make()
  } catch (error) {
    return eventOf('trouble', { message: messageOf(error) } satisfies TroubleMessage)
  }
}
