/*
 * Memory, native beside js beside lru-cache: speed, the pause that entries add to a full collection, the bytes that
 * they take beside key and value, and single sets when each of them evicts. A process for each contestant, full
 * before the clock starts; they take turns, and the median of the rounds counts.
 *
 * Wants lru-cache: npm --prefix bench/peers ci
 */
import { existsSync } from 'node:fs'
import { startChild } from '../../shared/child.mjs'
import { record } from '../../shared/record.mjs'
import { median, percentile } from '../../shared/statistics.mjs'

const SPEED = new URL('../children/memory-speed.mjs', import.meta.url)
const HELD = new URL('../children/memory-held.mjs', import.meta.url)
const PEER = new URL('../../peers/node_modules/lru-cache/package.json', import.meta.url)
const HEAP = '--max-old-space-size=8192'
const SIZES = [1000, 1024, 1100, 1500]
const ENTRY_BYTES = 1024
const FULL = { entries: 1_000_000, count: 300_000, rounds: 5, sizes: SIZES, collections: 41 }
const QUICK = { entries: 100_000, count: 20_000, rounds: 3, sizes: [1024], collections: 11 }
/** At its full size from the beginning, so that its growth is not taken for that of what is held. */
const YOUNG = '--min-semi-space-size=16'
/** So that processor time of a collection is its pause. */
const ALONE = '--single-threaded-gc'

const CONTESTANTS = [
  ['native', 'store'],
  ['native', 'cache'],
  ['js', 'store'],
  ['js', 'cache'],
  ['lru-cache', 'store'],
]
/** Rows of the table: what is measured, by what drey and lru-cache call it. */
const SPEED_ROWS = [
  { title: 'get', work: 'get', drey: 'Store.find, view', peer: 'get' },
  { title: 'get', work: 'get', drey: 'cache.getSync', peer: 'get' },
  { title: 'get', work: 'get', drey: 'cache.getSync', peer: 'get, copied' },
  { title: 'set', work: 'set', drey: 'Store.set', peer: 'set' },
  { title: 'set', work: 'set', drey: 'Store.draft', peer: 'set' },
  { title: 'set', work: 'set', drey: 'cache.set', peer: 'set' },
]
const CHURN_ROWS = [
  { title: 'churn', work: 'churn', drey: 'Store.set', peer: 'set' },
  { title: 'churn', work: 'churn', drey: 'cache.set', peer: 'set' },
]
const PERCENTILES = ['p50', 'p99', 'p99.9']
const NATIVE = 'native'
const PEER_NAME = 'lru-cache'
const COLUMNS = [NATIVE, 'js', PEER_NAME]

export async function suite({ quick }) {
  if (!existsSync(PEER)) throw new Error('there is no lru-cache: run npm --prefix bench/peers ci')
  const how = quick ? QUICK : FULL
  const { entries, count, rounds, sizes } = how
  const { samples, kept } = await measureSpeed(how)
  const figures = new Map([...samples].map(([id, values]) => [id, middle(values)]))
  const held = await measureHeld(how)
  const added = await measureCollections(how)

  const rows = [
    ...SPEED_ROWS.map(({ title, ...row }) => ({
      name: nameOf(title, row),
      unit: 'ns',
      of: (column) => figureOf(figures, row, column),
    })),
    ...CHURN_ROWS.flatMap(({ title, ...row }) =>
      PERCENTILES.map((percentile, at) => ({
        name: `${nameOf(title, row)}, ${percentile}`,
        unit: 'ns',
        of: (column) => figureOf(figures, row, column)?.[at],
      })),
    ),
    { name: 'full collection, added', unit: 'ms', of: (column) => added.get(column) },
    { name: 'beside key and value, accounted', unit: 'B', of: (column) => held.get(column).accounted },
    { name: 'beside key and value, resident', unit: 'B', of: (column) => held.get(column).resident },
  ]
  const find = (name) => rows.find((row) => row.name === name)
  const ratio = (name) => find(name).of(PEER_NAME) / find(name).of(NATIVE)
  const faster = (name, atLeast) => ({
    what: `${name}: native at least ${atLeast} × lru-cache`,
    actual: `${ratio(name).toFixed(2)} ×`,
    holds: ratio(name) >= atLeast,
  })
  const goal = (name, wanted) =>
    `goal: ${name}, native ${wanted} × lru-cache: ${ratio(name) >= wanted ? 'reached' : 'missed'} (${ratio(name).toFixed(2)} ×)`
  const atMost = (name, most, unit) => ({
    what: `${name}: native at most ${most} ${unit}`,
    actual: show(find(name).of(NATIVE), unit),
    holds: find(name).of(NATIVE) <= most,
  })
  return {
    notes: [
      `${entries.toLocaleString('en-US')} entries of 1 KiB; gets by Zipf 0.99; sets in random order over twice as many keys; churn sets new keys only`,
      `median of ${rounds} rounds of ${count.toLocaleString('en-US')}; bytes are the mean over values of ${sizes.join(', ')} B; collections on one thread, processor time`,
      `entries held while setting: ${kept}`,
      // What is wanted; the claims below the table are what --assert insists on.
      goal('set: Store.set / set', 5),
      goal('set: cache.set / set', 5),
      goal('get: Store.find, view / get', 1),
      goal('get: cache.getSync / get', 1),
      goal('get: cache.getSync / get, copied', 2),
    ],
    table: [
      ['drey / lru-cache', 'native', 'js', 'lru-cache', 'native ÷ js', 'native ÷ lru-cache'],
      ...rows.map((row) => [
        row.name,
        ...COLUMNS.map((column) => show(row.of(column), row.unit)),
        row.unit === 'ns' ? times(row.of('js') / row.of(NATIVE)) : '',
        row.unit === 'ns' ? times(row.of(PEER_NAME) / row.of(NATIVE)) : '',
      ]),
    ],
    records: recordsOf(samples, held, added),
    claims: [
      faster('set: Store.set / set', 1.5),
      atMost('full collection, added', 2, 'ms'),
      atMost('beside key and value, accounted', 64, 'B'),
    ],
  }
}

/** What is kept: the rows of the design, and what percentiles there are. */
function recordsOf(samples, held, added) {
  const against = (goal, peer = PEER_NAME) => [{ of: [NATIVE, peer], goal }, { of: [NATIVE, 'js'] }]
  const timed = (id, what, row, goal, at) => {
    const of = (column) => {
      const rounds = samples.get(`${column} ${row.work} ${column === PEER_NAME ? row.peer : row.drey}`)
      return at === undefined ? rounds : rounds?.map((percentiles) => percentiles[at])
    }
    const all = Object.fromEntries(COLUMNS.map((column) => [column, of(column)]))
    return record({
      id: `memory/${id}`,
      what,
      unit: 'ns',
      better: 'less',
      samples: all,
      ratios: against(goal),
    })
  }
  const [find, get, copied, put, , set] = SPEED_ROWS
  const single = (id, what, unit, of, ratios = []) =>
    record({
      id: `memory/${id}`,
      what,
      unit,
      better: 'less',
      samples: Object.fromEntries(
        COLUMNS.flatMap((column) => (of(column) === undefined ? [] : [[column, [of(column)]]])),
      ),
      ratios,
    })
  return [
    timed('store.set', 'memory set, Store.set, 1 KiB, random order, evicting', put, 5),
    timed('set', 'memory set, cache.set, 1 KiB, random order, evicting', set, 5),
    timed('store.find', 'memory get, Store.find, 1 KiB, Zipf 0.99, beside get by reference', find, 1),
    timed('getSync', 'memory get, cache.getSync, 1 KiB, Zipf 0.99, beside get by reference', get, 1),
    timed('getSync copied', 'memory get, cache.getSync, 1 KiB, Zipf 0.99, beside get with a copy', copied, 2),
    ...PERCENTILES.map((percentile, at) =>
      timed(
        `churn ${percentile}`,
        `memory set that evicts, Store.set, ${percentile}`,
        CHURN_ROWS[0],
        undefined,
        at,
      ),
    ),
    single('collection', 'full collection, added by the entries', 'ms', (column) => added.get(column)),
    single('beside', 'memory beside key and value, resident', 'B', (column) => held.get(column).resident, [
      { of: [NATIVE, PEER_NAME] },
    ]),
    single(
      'accounted',
      'memory beside key and value, accounted',
      'B',
      (column) => held.get(column).accounted,
    ),
  ]
}

const nameOf = (title, { drey, peer }) => `${title}: ${drey} / ${peer}`
const times = (value) => `${value.toFixed(2)} ×`

function show(value, unit) {
  if (value === undefined) return ''
  return `${unit === 'ms' ? value.toFixed(2) : Math.round(value).toLocaleString('en-US')} ${unit}`
}

function figureOf(figures, { work, drey, peer }, column) {
  return figures.get(`${column} ${work} ${column === PEER_NAME ? peer : drey}`)
}

/** Medians by contestant, work and name of the call. */
async function measureSpeed({ entries, count, rounds }) {
  const children = []
  // One after the other: filling is not measured, but two cores are all that some machines have.
  for (const [contestant, level] of CONTESTANTS) {
    const child = startChild(SPEED, { args: [contestant, level, String(entries)], flags: [HEAP] })
    const { sets, gets } = await child.receive('ready')
    children.push({ contestant, child, calls: { get: gets, set: sets, churn: sets } })
  }
  const samples = new Map()
  const kept = new Map()
  for (const work of ['get', 'set', 'churn']) {
    for (let round = 0; round < rounds; round += 1) {
      for (const { contestant, child, calls } of children) {
        for (const name of calls[work]) {
          const ran = child.receive('ran')
          child.send({ type: 'run', work, name, count })
          const { figure, entries: left } = await ran
          if (work === 'set') kept.set(contestant, left.toLocaleString('en-US'))
          const id = `${contestant} ${work} ${name}`
          samples.set(id, [...(samples.get(id) ?? []), figure])
        }
      }
    }
  }
  for (const { child } of children) await child.stop()
  return { samples, kept: [...kept].map((pair) => pair.join(' ')).join(', ') }
}

/** The median, of each percentile by itself where a round gives several. */
function middle(values) {
  if (!Array.isArray(values[0])) return median(values)
  return values[0].map((_, at) => median(values.map((round) => round[at])))
}

/** Bytes are the same at each run, so one of each size does. */
async function measureHeld({ entries, sizes }) {
  const all = new Map()
  for (const size of sizes) {
    for (const contestant of COLUMNS) {
      const { child, ...result } = await hold({ contestant, entries, size })
      await child.stop()
      all.set(contestant, [...(all.get(contestant) ?? []), result])
    }
  }
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length
  return new Map(
    [...all].map(([contestant, results]) => [
      contestant,
      {
        resident: mean(results.map(({ resident }) => resident)),
        accounted:
          results[0].accounted === undefined ? undefined : mean(results.map(({ accounted }) => accounted)),
      },
    ]),
  )
}

/**
 * By contestant, the milliseconds that entries add to a full collection: of two processes, one that holds them and one
 * that holds nothing, which collect in turns, so that a noisy neighbour meets both. He only ever makes a collection
 * slower, and by more than what is looked for; so the fastest tenths are compared.
 */
async function measureCollections({ entries, collections }) {
  const added = new Map()
  for (const contestant of COLUMNS) {
    const full = await hold({ contestant, entries, size: ENTRY_BYTES })
    const empty = await hold({ contestant, entries: 0, size: ENTRY_BYTES, room: entries })
    const times = { full: [], empty: [] }
    for (let at = 0; at < collections; at += 1) {
      times.empty.push(await collect(empty.child, 0))
      times.full.push(await collect(full.child, entries))
    }
    await Promise.all([full.child.stop(), empty.child.stop()])
    added.set(contestant, percentile(times.full, 0.1) - percentile(times.empty, 0.1))
  }
  return added
}

async function hold(spec) {
  const child = startChild(HELD, { flags: ['--expose-gc', HEAP, YOUNG, ALONE] })
  const held = child.receive('held')
  child.send({ type: 'hold', ...spec })
  return { child, ...(await held) }
}

async function collect(child, wanted) {
  const collected = child.receive('collected')
  child.send({ type: 'collect' })
  const { ms, entries } = await collected
  if (entries !== wanted) throw new Error(`collected with ${entries} entries instead of ${wanted}`)
  return ms
}
