import type { DashboardState, Line } from '../messages.js'
import { byId, el, Slot, setText } from './dom.js'
import {
  bytes,
  bytesPerSecond,
  count,
  duration,
  type Figure,
  milliseconds,
  moment,
  percent,
  perSecond,
} from './format.js'
import { icon } from './svg.js'

/*
 * What is to be seen first: how it is, why, and the figures of now.
 */

type Level = DashboardState['level']
type Mood = 'good' | 'warn' | 'bad' | 'dim'

const WORDS: Readonly<Record<Level, string>> = { ok: '● OK', degraded: '▲ DEGRADED', failing: '■ FAILING' }
const COLOURS: Readonly<Record<Level, string>> = { ok: '#00ff00', degraded: '#ffa500', failing: '#ff0000' }
const TAGS: Readonly<Record<string, string>> = { failing: 'RED · FAILING', red: 'RED', amber: 'AMBER' }

const alerts = new Slot<DashboardState['alerts']>(byId('alerts'), (all) =>
  all.map(({ id, level, message, since }) =>
    el(
      'li',
      {},
      el(
        'span',
        {},
        el('span', { class: `tag ${level === 'amber' ? 'amber' : 'red'}` }, TAGS[level]!),
        ` ${id}`,
      ),
      el('span', {}, message),
      el('span', { class: 'dim' }, `since ${moment(since)}`),
    ),
  ),
)

const headline = new Slot<{ readonly level: Level; readonly alerts: number }>(
  byId('level'),
  ({ level, alerts: raised }) => [
    `${WORDS[level]} `,
    el('span', {}, raised === 0 ? 'no alerts' : raised === 1 ? '1 alert' : `${raised} alerts`),
  ],
)

export function showStatus({ level, alerts: raised }: DashboardState, title: string): void {
  byId('status').dataset['level'] = level
  headline.show({ level, alerts: raised.length })
  alerts.show(raised)
  document.title = `${WORDS[level]} · ${title} · drey`
  const link = document.querySelector<HTMLLinkElement>('link[rel=icon]')
  const href = icon(COLOURS[level])
  if (link !== null && link.href !== href) link.href = href
}

export function showConnection(problem: string | undefined, state: DashboardState | undefined): void {
  const element = byId('connection')
  element.className = problem === undefined ? '' : 'warn'
  if (problem === undefined) {
    const { pid, uptime } = state?.process ?? { pid: 0, uptime: 0 }
    setText(element, state === undefined ? 'connecting' : `live · pid ${pid} · up ${uptimeOf(uptime)}`)
    return
  }
  const last = state === undefined ? '' : ` · as of ${moment(state.at)}`
  setText(element, `${problem}${last}`)
}

/** Without seconds: they would be read aloud each second. */
function uptimeOf(seconds: number): string {
  return seconds < 60 ? 'less than a minute' : duration(seconds - (seconds % 60)).replace(/ 0 s$/, '')
}

/** A figure, what it is called, and a line that says more. */
class Tile {
  readonly element: HTMLElement
  readonly #value = el('span')
  readonly #more = el('small')
  readonly #box: HTMLElement

  constructor(name: string) {
    this.#box = el('dd', {}, this.#value, this.#more)
    this.element = el('div', {}, el('dt', {}, name), this.#box)
  }

  show(value: string, mood: Mood, more: string): void {
    setText(this.#value, value)
    setText(this.#more, more)
    if (this.#box.className !== mood) this.#box.className = mood
  }
}

const TILES = [
  'answers',
  'hit ratio',
  'p99',
  'errors',
  'memory',
  'disk',
  'fills',
  'out',
  'pressure',
  'event loop',
]
const tiles = new Map(TILES.map((name) => [name, new Tile(name)]))
byId('figures').append(...Array.from(tiles.values(), ({ element }) => element))

/** @param figure of the newest line, by its column */
export function showFigures(state: DashboardState, figure: (column: string) => Figure): void {
  const show = (name: string, value: string, mood: Mood, more: string): void =>
    tiles.get(name)!.show(value, mood, more)
  const { totals, pressure } = state
  const answers = totals.hits + totals.joined + totals.revalidated + totals.stale
  const asked = answers + totals.misses
  show('answers', perSecond(figure('requests')), 'good', `${count(asked)} in all`)
  show(
    'hit ratio',
    percent(figure('hitRatio')),
    'good',
    `${percent(asked === 0 ? null : answers / asked)} in all`,
  )
  const p99 = figure('p99')
  show('p99', milliseconds(p99), moodOf(p99), p99 === null ? 'too few were timed' : 'of answers, 10 s')
  const errors = figure('errors')
  show('errors', percent(errors), moodOf(errors, 0.01, 0.5), 'of calls, 10 s')
  showTier('memory', state.tiers[0], show)
  showTier(
    'disk',
    state.tiers.find(({ onDisk }) => onDisk),
    show,
  )
  show('fills', count(totals.filling), 'good', `in flight, ${totals.refreshing} refreshes`)
  show('out', bytesPerSecond(figure('bytesOut')), 'good', `${bytesPerSecond(figure('bytesIn'))} in`)
  if (pressure === null) show('pressure', 'off', 'dim', 'nobody watches memory')
  else {
    const mood = pressure.factor <= 0.2 ? 'bad' : pressure.factor <= 0.5 ? 'warn' : 'good'
    show('pressure', pressure.level, mood, `${percent(pressure.ratio)} of memory in use`)
  }
  const delay = figure('loopDelay')
  show('event loop', milliseconds(delay), moodOf(delay, 100, 1000), 'late, p99')
}

function showTier(
  name: 'memory' | 'disk',
  tier: DashboardState['tiers'][number] | undefined,
  show: (name: string, value: string, mood: Mood, more: string) => void,
): void {
  const isOther = name === 'memory' && tier?.onDisk === true
  if (tier === undefined || isOther) return show(name, 'none', 'dim', `no ${name} tier`)
  const { bytes: used, maxBytes } = tier
  if (maxBytes === null || maxBytes === 0) return show(name, bytes(used), 'good', 'without a bound')
  // A tier that is full is as it should be; one that takes more than its bound never is.
  const mood = tier.breaker === 'closed' && used <= maxBytes ? 'good' : 'bad'
  show(name, percent(used / maxBytes), mood, `${bytes(used)} of ${bytes(maxBytes)}`)
}

function moodOf(value: Figure, warn = Number.POSITIVE_INFINITY, bad = Number.POSITIVE_INFINITY): Mood {
  if (value === null || value === undefined) return 'dim'
  if (value >= bad) return 'bad'
  return value >= warn ? 'warn' : 'good'
}

/** The figures of a line by the names of their columns. */
export function figuresOf(columns: readonly string[], line: Line | undefined): (column: string) => Figure {
  return (column) => line?.[columns.indexOf(column) + 1] ?? null
}
