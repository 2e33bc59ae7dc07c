import type { DashboardState } from '../messages.js'
import { byId, el, Slot } from './dom.js'
import { bytes, count, moment, percent } from './format.js'
import { bar } from './svg.js'

/*
 * What there is to know beside the charts: a panel for each part of a cache.
 */

type Content = readonly (Node | string)[]

/** Something of which there is nothing. */
const nothing = (text: string): Content => [el('p', { class: 'empty' }, text)]

const BREAKERS: Readonly<Record<string, readonly [mood: string, words: string]>> = {
  closed: ['good', 'in use'],
  'half-open': ['warn', '▲ on trial'],
  open: ['bad', '■ left alone'],
}

function breaker(state: string): HTMLElement {
  const [mood, words] = BREAKERS[state] ?? ['dim', state]
  return el('span', { class: mood }, words)
}

function pairs(all: ReadonlyArray<readonly [string, string | HTMLElement]>): HTMLElement {
  return el(
    'dl',
    { class: 'pairs' },
    ...all.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]),
  )
}

/** The first column has the words, the others numbers. */
function table(
  names: readonly string[],
  rows: ReadonlyArray<readonly (string | HTMLElement)[]>,
): HTMLElement {
  const of = (place: number): string => (place === 0 ? 'key' : 'number')
  const head = names.map((name, place) => el('th', { class: of(place), scope: 'col' }, name))
  const body = rows.map(([first = '', ...rest]) =>
    el(
      'tr',
      {},
      el('th', { class: 'key', scope: 'row' }, first),
      ...rest.map((cell) => el('td', { class: 'number' }, cell)),
    ),
  )
  return el(
    'div',
    { class: 'scroll' },
    el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...body)),
  )
}

function tiersOf({ tiers }: Pick<DashboardState, 'tiers'>): Content {
  const shown = tiers.map((tier) => {
    const { name, onDisk, policy, maxBytes, breaker: state, compression } = tier
    const part = maxBytes === null || maxBytes === 0 ? 0 : tier.bytes / maxBytes
    const of = maxBytes === null ? bytes(tier.bytes) : `${bytes(tier.bytes)} of ${bytes(maxBytes)}`
    const losses = `${count(tier.dropped)} dropped, ${count(tier.failures)} failures, ${count(tier.corrupt)} corrupt`
    return el(
      'div',
      { class: 'tier' },
      el('h4', {}, name, breaker(state)),
      pairs([
        ['policy', policy ?? 'not said'],
        ['used', el('span', { class: part > 1 ? 'bad' : 'good' }, of, bar(part))],
        ['entries', count(tier.entries)],
        ['left', `${count(tier.evictions)} evicted, ${count(tier.expirations)} expired`],
        ['losses', losses],
        ...(tier.queued > 0 || onDisk ? [['to write', count(tier.queued)] as const] : []),
        ...(compression === null ? [] : [['compressed', `${compression.toFixed(2)} times`] as const]),
      ]),
    )
  })
  const hasDisk = tiers.some(({ onDisk }) => onDisk)
  return hasDisk ? shown : [...shown, ...nothing('no disk tier')]
}

function topKeysOf({ topKeys, measures }: Pick<DashboardState, 'topKeys' | 'measures'>): Content {
  if (topKeys.length === 0) {
    return nothing(
      measures
        ? 'none was sampled yet: one of `metrics.sampling` calls is'
        : 'nothing is measured: metrics is off',
    )
  }
  const rows = topKeys.map(({ key, requests, bytes: size }) => [key, count(requests), bytes(size)])
  return [table(['key', 'answers', 'bytes'], rows)]
}

function adviceOf({ advice }: Pick<DashboardState, 'advice'>): Content {
  const { at, recommendations, reason } = advice
  if (at === null) return nothing(`no advice: ${reason ?? 'none was found'}`)
  const when = el(
    'p',
    { class: 'empty' },
    `as of ${moment(at)}, from ${count(advice.requests)} requests${reason === null ? '' : `; since then ${reason}`}`,
  )
  if (recommendations.length === 0) return [el('p', { class: 'good' }, '● nothing to change'), when]
  const items = recommendations.map(({ id, level, tier, message, change, gain }) => {
    const isWarning = level === 'warning'
    const tag = el('span', { class: isWarning ? 'warn' : 'good' }, isWarning ? '▲ warning' : '● advice')
    const parts = [el('p', {}, tag, ` ${id}${tier === null ? '' : ` · ${tier}`}`), el('p', {}, message)]
    if (change !== null) parts.push(el('p', { class: 'dim' }, change))
    if (gain !== null) parts.push(el('p', { class: 'good' }, `then, as estimated: ${gain}`))
    return el('li', {}, ...parts)
  })
  return [el('ul', { class: 'advice' }, ...items), when]
}

function originsOf({ origins }: Pick<DashboardState, 'origins'>): Content {
  if (origins.all === 0) return nothing('no origin was named')
  const rows = origins.shown.map(({ name, breaker: state, refused }) => [
    name,
    breaker(state),
    count(refused),
  ])
  const content = [table(['origin', 'breaker', 'refused'], rows)]
  const more = origins.all - origins.shown.length
  return more > 0 ? [...content, ...nothing(`and ${more} more that are in use`)] : content
}

function poolOf({ pool }: Pick<DashboardState, 'pool'>): Content {
  if (pool?.enabled !== true) return nothing('no buffer pool')
  const { strategies, sizes } = pool
  const all = strategies.pooled + strategies.direct + strategies.fallback
  const part = (value: number): string => `${count(value)} (${percent(all === 0 ? null : value / all)})`
  const rows = sizes.filter(({ gets }) => gets > 0)
  return [
    pairs([
      [
        'held',
        el(
          'span',
          { class: 'good' },
          `${bytes(pool.heldBytes)} of ${bytes(pool.maxBytes)}`,
          bar(pool.heldBytes / Math.max(1, pool.maxBytes)),
        ),
      ],
      ['found idle', percent(all === 0 ? null : pool.hitRate)],
      ['pooled', part(strategies.pooled)],
      ['direct', part(strategies.direct)],
      ['fallback', part(strategies.fallback)],
      ['lost', count(pool.leaked)],
    ]),
    ...(rows.length === 0
      ? []
      : [
          table(
            ['size', 'gets', 'direct'],
            rows.map(({ size, gets, direct }) => [size, count(gets), count(direct)]),
          ),
        ]),
  ]
}

function answersOf({
  totals,
  notStored,
  errors,
}: Pick<DashboardState, 'totals' | 'notStored' | 'errors'>): Content {
  const { hits, joined, revalidated, stale, misses, fills, leaks } = totals
  const counted = { hits, joined, revalidated, stale, misses, fills, leaks }
  const failed = Object.entries(errors).flatMap(([call, codes]) =>
    Object.entries(codes).map(
      ([code, times]) => [`${call} ${code.replace('ERR_DREY_', '')}`, count(times)] as const,
    ),
  )
  const rest = Object.entries(notStored).map(([why, times]) => [`not stored: ${why}`, count(times)] as const)
  return [
    pairs([
      ...Object.entries(counted).map(([name, value]) => [name, count(value)] as const),
      ...rest,
      ...failed.map(([name, times]) => [name, el('span', { class: 'warn' }, times)] as const),
    ]),
  ]
}

function pressureOf({ pressure }: Pick<DashboardState, 'pressure'>): Content {
  if (pressure === null) return nothing('nobody watches memory: pressure is off')
  const rows = Object.entries(pressure.ratios).map(([source, ratio]) => [source, percent(ratio)] as const)
  return [
    pairs([
      ['level', pressure.level],
      ['tiers may use', `${percent(pressure.factor)} of their bounds`],
      ...rows,
    ]),
  ]
}

/** Shows a part of a state in a panel of its own. */
type Panel = (state: DashboardState) => void

function panel<K extends keyof DashboardState>(
  title: string,
  parts: readonly K[],
  make: (from: Pick<DashboardState, K>) => Content,
): Panel {
  const body = el('div')
  byId('panels').append(el('section', { class: 'panel', 'aria-label': title }, el('h3', {}, title), body))
  const slot = new Slot(body, make)
  return (state) =>
    slot.show(Object.fromEntries(parts.map((part) => [part, state[part]])) as Pick<DashboardState, K>)
}

const PANELS: readonly Panel[] = [
  panel('Tiers and their policies', ['tiers'], tiersOf),
  panel('Top keys, sampled', ['topKeys', 'measures'], topKeysOf),
  panel('Advice', ['advice'], adviceOf),
  panel('Origins and breakers', ['origins'], originsOf),
  panel('Buffer pool and strategies', ['pool'], poolOf),
  panel('Answers since the start', ['totals', 'notStored', 'errors'], answersOf),
  panel('Memory pressure', ['pressure'], pressureOf),
]

export function showPanels(state: DashboardState): void {
  for (const show of PANELS) show(state)
}
