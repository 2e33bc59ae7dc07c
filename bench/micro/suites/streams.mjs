/*
 * Copy and tee of the buffer pool, beside what Node has: a file to a socket against stream.pipeline, and a stream to a
 * reader and a socket against two PassThroughs and tee() of web streams. A process for each contestant and size; they take
 * turns, and the median of the rounds counts.
 */
import { startChild } from '../../shared/child.mjs'
import { record } from '../../shared/record.mjs'
import { median } from '../../shared/statistics.mjs'
import { digits, showBytes, showMiB } from '../../shared/table.mjs'

const CHILD = new URL('../children/streams.mjs', import.meta.url)
const KiB = 1024
const MiB = KiB * KiB
const SIZES = [KiB, 32 * KiB, 256 * KiB, MiB, 10 * MiB]
const HUGE = 100 * MiB
const POOLED = ['copy, pool on', 'copy, pool off', 'tee, pool on', 'tee, pool off']
const PEERS = ['pipeline', 'two PassThroughs', 'web tee()']
/** At 256 KiB the pool must not cost more than this. */
const LEAST = 0.97

export async function suite({ quick }) {
  const sizes = quick ? SIZES : [...SIZES, HUGE]
  const rounds = quick ? 1 : 5
  const ms = quick ? 250 : 1000
  const columns = [
    ...['native', 'js'].flatMap((path) => POOLED.map((contestant) => ({ path, contestant }))),
    ...PEERS.map((contestant) => ({ path: 'native', contestant, peer: true })),
  ]
  const all = new Map()
  for (let round = 0; round < rounds; round += 1) {
    for (const size of sizes) {
      for (const column of columns) {
        const key = `${nameOf(column)} ${size}`
        const figures = await measure(column.path, column.contestant, size, ms)
        all.set(key, [...(all.get(key) ?? []), figures])
      }
    }
  }
  const figuresOf = (column, size) => all.get(`${nameOf(column)} ${size}`)
  const rateOf = (column, size) => median(figuresOf(column, size).map(({ rate }) => rate))
  const mostOf = (column, what) =>
    Math.max(...sizes.flatMap((size) => figuresOf(column, size).map((one) => one[what])))
  const table = [
    ['contestant', ...sizes.map((size) => showBytes(size)), 'most resident', 'most in Buffers'],
    ...columns.map((column) => [
      nameOf(column),
      ...sizes.map((size) => `${digits(rateOf(column, size) / MiB)} MiB/s`),
      showMiB(mostOf(column, 'resident')),
      showMiB(mostOf(column, 'buffers')),
    ]),
  ]
  const [on, off] = columns
  const ratio = rateOf(on, 256 * KiB) / rateOf(off, 256 * KiB)
  return {
    notes: [`median of ${rounds}, every byte checked; resident memory is what came on top while it ran`],
    table,
    records: sizes.flatMap((size) => recordsOf(columns, size, figuresOf)),
    claims: [
      {
        what: `copy at 256 KiB, pool on is at least ${LEAST} of pool off`,
        actual: digits(ratio),
        holds: ratio >= LEAST,
      },
    ],
  }
}

/** Of one size: how fast, and for the largest what memory it takes. */
function recordsOf(columns, size, figuresOf) {
  const of = (what) =>
    Object.fromEntries(
      columns.map((column) => [nameOf(column), figuresOf(column, size).map((one) => one[what])]),
    )
  return [
    record({
      id: `streams/${showBytes(size)}`,
      what: `a stream copied, and teed, ${showBytes(size)}`,
      unit: 'B/s',
      better: 'more',
      samples: of('rate'),
      ratios: [
        { of: ['tee, pool on, native', 'two PassThroughs'], goal: 1 },
        { of: ['copy, pool on, native', 'pipeline'] },
        { of: ['copy, pool on, native', 'copy, pool on, js'] },
        { of: ['tee, pool on, native', 'tee, pool on, js'] },
      ],
    }),
  ]
}

const nameOf = ({ path, contestant, peer }) => (peer ? contestant : `${contestant}, ${path}`)

async function measure(path, contestant, size, ms) {
  const child = startChild(CHILD, {
    args: [contestant, String(size)],
    wrap: ['env', `DREY_NATIVE=${path === 'js' ? 0 : 1}`],
  })
  await child.receive('ready')
  const ran = child.receive('ran')
  child.send({ type: 'run', ms })
  const figures = await ran
  await child.exited
  return figures
}
