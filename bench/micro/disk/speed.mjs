/*
 * Sets and gets by size of the value, one at a time and 64 at once. A process for each contestant; they take turns,
 * and the median of the rounds counts. What is read was written before, so it comes from the page cache.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startChild } from '../../shared/child.mjs'
import { record } from '../../shared/record.mjs'
import { median } from '../../shared/statistics.mjs'
import { digits, showBytes } from '../../shared/table.mjs'
import { absenceOf, CONTESTANTS, envOf } from '../children/disk-contestants.mjs'

const CHILD = new URL('../children/disk-speed.mjs', import.meta.url)
const KiB = 1024
const SIZES = [100, KiB, 4 * KiB, 64 * KiB, 1024 * KiB]
const QUICK_SIZES = [4 * KiB, 64 * KiB]
const AT_ONCE = [1, 64]
/** How many times as fast as lmdb, by work and row: what is wanted. */
const GOALS = { 'set, 4.00 KiB, 64 at once': 5, 'get, 4.00 KiB, 1 at once': 1.5 }

/** Of js over native, in processor time. */
const LEAST_OVER = 1.5

const FIGURES = ['each', 'cpu', 'p50', 'p99', 'p999']

async function measure({ quick, folder }) {
  const how = { ms: quick ? 80 : 400, most: quick ? 5000 : 50_000 }
  const rounds = quick ? 3 : 5
  const skipped = []
  const children = []
  const rows = []
  try {
    for (const name of CONTESTANTS) {
      const why = absenceOf(name)
      if (why !== undefined) {
        skipped.push(`skipped: ${name}, ${why}`)
        continue
      }
      const dir = join(folder, name)
      mkdirSync(dir, { recursive: true })
      const child = startChild(CHILD, { args: [name, dir], env: envOf(name) })
      await child.receive('ready')
      children.push({ name, child })
    }
    const ask = async (child, question) => {
      const answer = child.receive('measured')
      child.send({ type: 'measure', ...question })
      return answer
    }
    for (const size of quick ? QUICK_SIZES : SIZES) {
      const most = Math.max(64, Math.min(how.most, Math.floor(((quick ? 64 : 256) * KiB * KiB) / size)))
      for (const atOnce of AT_ONCE) {
        const all = children.map(({ name, child }) => ({ name, child, set: [], get: [] }))
        for (let round = 0; round < rounds; round += 1) {
          // Another one first each time: the first has to have the memory of the page cache made.
          for (const { child, set, get } of [
            ...all.slice(round % all.length),
            ...all.slice(0, round % all.length),
          ]) {
            set.push(await ask(child, { work: 'set', size, atOnce, ms: how.ms, most }))
            get.push(await ask(child, { work: 'get', size, atOnce, ms: how.ms, most }))
          }
        }
        for (const work of ['set', 'get']) {
          const by = new Map()
          const samples = new Map(all.map((one) => [one.name, one[work]]))
          for (const one of all) {
            by.set(
              one.name,
              Object.fromEntries(
                FIGURES.map((figure) => [figure, median(one[work].map((of) => of[figure]))]),
              ),
            )
          }
          rows.push({ name: `${work}, ${showBytes(size)}, ${atOnce} at once`, by, samples })
        }
      }
    }
    for (const { child } of children) {
      child.send({ type: 'close' })
      await child.exited
    }
  } finally {
    await Promise.all(children.map(({ child }) => child.stop()))
  }
  return { rows, skipped, rounds, names: children.map(({ name }) => name) }
}

/** Of a row: what a call costs, and how long the slowest of a hundred takes. */
function recordsOf({ name, samples }) {
  const of = (figure) =>
    Object.fromEntries([...samples].map(([who, all]) => [who, all.map((one) => one[figure])]))
  return [
    record({
      id: `disk/${name}`,
      what: `disk ${name}`,
      unit: 'µs',
      better: 'less',
      samples: of('each'),
      ratios: [{ of: ['native', 'lmdb'], goal: GOALS[name] }, { of: ['native', 'js'] }],
    }),
    record({
      id: `disk/${name}, p99`,
      what: `disk ${name}, from call to answer, p99`,
      unit: 'µs',
      better: 'less',
      samples: of('p99'),
      ratios: [{ of: ['native', 'js'] }],
    }),
  ]
}

/** Three digits that count. */
const us = (value) => (value === undefined ? '' : digits(value))
const ratio = (by, slower, faster, figure) => {
  const [a, b] = [by.get(slower)?.[figure], by.get(faster)?.[figure]]
  return a === undefined || b === undefined ? undefined : a / b
}
const times = (value) => (value === undefined ? '' : `${value.toFixed(2)} ×`)

export async function speed(options) {
  const { rows, skipped, rounds, names } = await measure(options)
  rows.sort((a, b) => Number(a.name.startsWith('get')) - Number(b.name.startsWith('get')))
  const ordered = rows
  // What held with room to spare, whatever else the machine did; goals that did not are printed.
  const claims = ['100 B', '1.00 KiB', '4.00 KiB'].flatMap((size) => {
    const found = ordered.find(({ name }) => name === `set, ${size}, 64 at once`)
    if (found === undefined) return []
    const over = ratio(found.by, 'js', 'native', 'cpu')
    if (over === undefined) return []
    return {
      what: `${found.name}: js takes at least ${LEAST_OVER} × the processor time of native`,
      actual: `${over.toFixed(2)} ×`,
      holds: over >= LEAST_OVER,
    }
  })
  return [
    {
      name: 'disk: µs a call',
      records: ordered.flatMap(recordsOf),
      notes: [
        `median of ${rounds} rounds, contestants in turn, a process each; every byte that was read was compared`,
        'sets survive a kill: native, js, lmdb, better-sqlite3 (WAL, NORMAL) and classic-level at their defaults; lmdb noSync leaves syncing to the system',
        'better-sqlite3 does one call after the other, however many are asked for',
        ...skipped,
      ],
      table: [
        ['', ...names, 'js ÷ native', 'lmdb ÷ native', 'noSync ÷ native', 'goal: lmdb ÷ native'],
        ...ordered.map(({ name, by }) => [
          name,
          ...names.map((of) => us(by.get(of).each)),
          times(ratio(by, 'js', 'native', 'each')),
          times(ratio(by, 'lmdb', 'native', 'each')),
          times(ratio(by, 'lmdb noSync', 'native', 'each')),
          GOALS[name] === undefined ? '' : `${GOALS[name]} ×`,
        ]),
      ],
    },
    {
      name: 'disk: µs of processor time a call, all threads',
      notes: [
        'that of the process, the checking of what was read included: it does not depend on who else has the processors',
      ],
      table: [
        ['', ...names, 'js ÷ native', 'lmdb ÷ native', 'noSync ÷ native'],
        ...ordered.map(({ name, by }) => [
          name,
          ...names.map((of) => us(by.get(of).cpu)),
          times(ratio(by, 'js', 'native', 'cpu')),
          times(ratio(by, 'lmdb', 'native', 'cpu')),
          times(ratio(by, 'lmdb noSync', 'native', 'cpu')),
        ]),
      ],
      claims,
    },
    {
      name: 'disk: µs from call to answer, p50 / p99 / p99.9',
      table: [
        ['', ...names],
        ...ordered.map(({ name, by }) => [
          name,
          ...names.map((of) => {
            const { p50, p99, p999 } = by.get(of)
            return `${us(p50)} / ${us(p99)} / ${us(p999)}`
          }),
        ]),
      ],
    },
  ]
}
