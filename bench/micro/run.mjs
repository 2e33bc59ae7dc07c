/*
 * Runs a suite: contestants take turns, A B C A B C, so that whatever the machine does meanwhile happens to
 * all of them, and the median of the rounds counts.
 *
 * A suite is a function that prepares and checks its contestants and returns:
 *
 *   notes    lines to be printed above the table
 *   columns  names of the contestants, in order; one that no row has is left out
 *   rows     { name, bytes?, contestants: { [column]: () => unknown } }; with `bytes`, the size of the work,
 *            the table gives GB/s, without it nanoseconds
 *   ratios   [faster, slower] pairs of columns, whose ratio of speed is a column of its own
 *   claims   { row, ratio: [faster, slower], atLeast, goal? }
 *
 * A suite that measures something else than speed is given the options, does all of it itself and returns `notes`,
 * `table` (rows of text, the first is the head) and `claims` of { what, actual, holds }. One of several parts is an async generator of
 * such, with a `name` each. Its `records` (shared/record.mjs) are what is kept of it; those of a suite that compares are made here.
 */
import Benchmark from 'benchmark'
import { record } from '../shared/record.mjs'
import { median } from '../shared/statistics.mjs'

const FULL = { rounds: 9, benchmark: { minTime: 0.05, maxTime: 0.25, minSamples: 5 } }
const QUICK = { rounds: 5, benchmark: { minTime: 0.01, maxTime: 0.05, minSamples: 5 } }

/** Prints the table of a suite; gives its records, and its claims: what was found, and whether they hold. */
export function runSuite(name, suite, options) {
  return 'table' in suite ? showMeasured(name, suite) : compare(name, suite, options)
}

function showMeasured(name, { notes = [], table, claims = [], records = [] }) {
  console.log(`\n${name}`)
  for (const note of notes) console.log(note)
  printTable(table)
  for (const { what, actual, holds } of claims) {
    console.log(`claim: ${what}: ${holds ? 'holds' : 'DOES NOT HOLD'} (${actual})`)
  }
  return { claims, records }
}

function compare(name, { notes = [], rows, claims = [], ...suite }, { quick }) {
  const takesPart = (column) => rows.some((row) => column in row.contestants)
  const columns = suite.columns.filter(takesPart)
  const ratios = suite.ratios.filter((pair) => pair.every(takesPart))
  const { rounds, benchmark } = quick ? QUICK : FULL
  console.log(`\n${name}: median of ${rounds} rounds${quick ? ', quick' : ''}`)
  for (const note of notes) console.log(note)

  const measured = new Map()
  for (const row of rows) measured.set(row.name, measure(row.contestants, rounds, benchmark))

  printTable([
    ['', ...columns, ...ratios.map((pair) => pair.join(' ÷ '))],
    ...rows.map((row) => {
      const perSecond = medians(measured.get(row.name))
      return [
        row.name,
        ...columns.map((column) => (perSecond.has(column) ? speed(perSecond.get(column), row.bytes) : '')),
        ...ratios.map((pair) => {
          const ratio = ratioOf(perSecond, pair)
          return ratio === undefined ? '' : `${ratio.toFixed(2)} ×`
        }),
      ]
    }),
  ])

  const found = claims.map(({ row, ratio, atLeast, goal }) => {
    const actual = ratioOf(medians(measured.get(row)), ratio)
    const what = `${row}, ${ratio.join(' ÷ ')} at least ${atLeast} ×`
    if (actual === undefined) return { what, actual: 'not measured', holds: false }
    const wanted = goal === undefined ? '' : `, goal ${goal} × ${actual >= goal ? 'reached' : 'missed'}`
    return { what, actual: `${actual.toFixed(2)} ×${wanted}`, holds: actual >= atLeast }
  })
  for (const { what, actual, holds } of found) {
    console.log(`claim: ${what}: ${holds ? 'holds' : 'DOES NOT HOLD'} (${actual})`)
  }
  const goalOf = (row, pair) =>
    claims.find((claim) => claim.row === row && claim.ratio.join() === pair.join())?.goal
  const records = rows.map((row) =>
    record({
      id: `${name}/${row.name}`,
      what: `${name}, ${row.name}`,
      unit: row.bytes === undefined ? 'ns' : 'GB/s',
      better: row.bytes === undefined ? 'less' : 'more',
      samples: Object.fromEntries(
        [...measured.get(row.name)].map(([column, all]) => [
          column,
          all.map((hz) => (row.bytes === undefined ? 1e9 / hz : (hz * row.bytes) / 1e9)),
        ]),
      ),
      ratios: ratios.map((of) => ({ of, goal: goalOf(row.name, of) })),
    }),
  )
  return { claims: found, records }
}

const medians = (samples) => new Map([...samples].map(([name, values]) => [name, median(values)]))

/** Operations a second, of each round, by contestant. */
function measure(contestants, rounds, options) {
  const samples = new Map(Object.keys(contestants).map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const turn = new Benchmark.Suite()
    for (const [name, run] of Object.entries(contestants)) turn.add(name, run, options)
    turn.on('cycle', ({ target }) => {
      if (target.error) throw target.error
      samples.get(target.name).push(target.hz)
    })
    turn.run()
  }
  return samples
}

function ratioOf(perSecond, [faster, slower]) {
  if (!perSecond.has(faster) || !perSecond.has(slower)) return undefined
  return perSecond.get(faster) / perSecond.get(slower)
}

function speed(perSecond, bytes) {
  if (bytes === undefined) return `${(1e9 / perSecond).toFixed(1)} ns`
  return `${((perSecond * bytes) / 1e9).toFixed(2)} GB/s`
}

/** Markdown that can be read as it is; the first row is the head. */
function printTable(rows) {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)))
  const line = (cells) => `| ${cells.join(' | ')} |`
  const [head, ...body] = rows.map((row) =>
    line(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))),
  )
  const rule = line(
    widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)),
  )
  console.log([head, rule, ...body].join('\n'))
}
