import { startChild } from '../shared/child.mjs'
import { record } from '../shared/record.mjs'
import { watchResident } from '../shared/resident.mjs'
import { median } from '../shared/statistics.mjs'
import { digits, layOut, showMiB } from '../shared/table.mjs'

/*
 * One body over loopback to three readers at once, through 64 MiB of memory and a directory below, beside `tee()` of the same body, which
 * keeps nothing. A process for the origin and one for each run. With a size that is declared the body goes to the disk from its first byte, else it
 * spills when it has outgrown memory. `uneven`: the third reader pauses after each MiB.
 */

const MiB = 2 ** 20
const GiB = 2 ** 30
const SAMPLE_MS = 10
const PAUSE_MS = 3
const WAYS = [
  { how: 'tee', path: '/declared', native: '1', label: 'tee()' },
  { how: 'drey', path: '/declared', native: '1', label: 'drey, size declared' },
  { how: 'drey', path: '/', native: '1', label: 'drey, spills' },
  { how: 'drey', path: '/declared', native: '0', label: 'drey, js path' },
]
const PACES = [
  { pace: 'even', slowMs: 0 },
  { pace: 'uneven', slowMs: PAUSE_MS },
]

async function once(port, size, { how, path, native }, slowMs) {
  const child = startChild(new URL('./fill/reader.mjs', import.meta.url), { env: { DREY_NATIVE: native } })
  try {
    child.send({ type: 'prepare', how, url: `http://127.0.0.1:${port}${path}`, size, slowMs })
    await child.receive('ready')
    const watch = watchResident(child.pid, SAMPLE_MS)
    child.send({ type: 'go' })
    const { ms, results, stored, said } = await child.receive('done')
    const { start, peak, kernelPeak } = watch.stop()
    child.send({ type: 'end' })
    await child.exited
    return { ms, results, stored, said, over: (kernelPeak ?? peak) - start }
  } finally {
    await child.stop()
  }
}

function recordsOf(pace, size, runs) {
  const [tee, declared, spills, js] = WAYS.map(({ label }) => label)
  const of = (figure) => Object.fromEntries(WAYS.map(({ label }, at) => [label, runs[at].map(figure)]))
  const where = `into memory and a directory, to three readers, ${pace}`
  return [
    record({
      id: `fill/${pace}`,
      what: `a body of ${size / MiB} MiB ${where}`,
      unit: 'MB/s',
      better: 'more',
      samples: of(({ ms }) => size / 1000 / ms),
      ratios: [{ of: [declared, tee], goal: 1 }, { of: [spills, tee], goal: 1 }, { of: [declared, js] }],
    }),
    record({
      id: `fill/${pace}, memory`,
      what: `memory that a body of ${size / MiB} MiB takes, ${where}`,
      unit: 'B',
      better: 'less',
      samples: of(({ over }) => over),
      ratios: [
        { of: [declared, tee], goal: 10 },
        { of: [spills, tee], goal: 10 },
      ],
    }),
  ]
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const size = quick ? 128 * MiB : GiB
  const rounds = quick ? 1 : 3
  const origin = startChild(new URL('./fill/origin.mjs', import.meta.url))
  const rows = []
  const records = []
  try {
    origin.send({ type: 'serve', size })
    const { port } = await origin.receive('serving')
    for (const { pace, slowMs } of PACES) {
      const runs = WAYS.map(() => [])
      for (let round = 0; round < rounds; round += 1) {
        for (const [at, way] of WAYS.entries()) runs[at].push(await once(port, size, way, slowMs))
      }
      rows.push(...WAYS.map((way, at) => summary(way, pace, size, runs[at])))
      records.push(...recordsOf(pace, size, runs))
    }
  } finally {
    await origin.stop()
  }
  say(
    `  ${size / MiB} MiB to three readers, ${rounds} rounds; over: the highest mark of resident memory beyond that before`,
  )
  say()
  say(
    layOut(
      ['readers', 'way', 'MB/s', 'over', 'whole', 'on the disk'],
      rows.map(({ pace, label, rate, over, whole, kept }) => [
        pace,
        label,
        digits(rate, 0),
        showMiB(over),
        `${whole} of ${rounds}`,
        kept === undefined ? '' : `${kept} of ${rounds}`,
      ]),
    ),
  )
  return { figures: rows, claims: claimsOf(rows, rounds), records }
}

function summary({ label, how }, pace, size, runs) {
  const [{ sum }] = runs[0].results
  const isWhole = (part) => part?.bytes === size && part.sum === sum
  return {
    label,
    how,
    pace,
    rate: median(runs.map(({ ms }) => size / 1000 / ms)),
    over: median(runs.map(({ over }) => over)),
    whole: runs.filter(({ results }) => results.every(isWhole)).length,
    kept:
      how === 'tee'
        ? undefined
        : runs.filter(({ stored }) => stored?.tier === 'file' && isWhole(stored)).length,
    said: runs.map(({ said }) => said),
  }
}

function claimsOf(rows, rounds) {
  const tees = new Map(rows.filter(({ how }) => how === 'tee').map((row) => [row.pace, row]))
  return rows
    .filter(({ how }) => how === 'drey')
    .flatMap(({ label, pace, rate, over, whole, kept }) => {
      const tee = tees.get(pace)
      return [
        {
          claim: `${label}, ${pace}: every byte to every reader, and the value is on the disk`,
          measured: `${whole} and ${kept} of ${rounds}`,
          holds: whole === rounds && kept === rounds,
        },
        {
          claim: `${label}, ${pace}: at least as fast as tee()`,
          measured: `${digits(rate, 0)} and ${digits(tee.rate, 0)} MB/s`,
          holds: rate >= tee.rate,
        },
        ...(pace === 'even'
          ? []
          : [
              {
                claim: `${label}, ${pace}: a tenth of tee()'s memory`,
                measured: `${showMiB(over)} and ${showMiB(tee.over)}`,
                holds: over <= tee.over / 10,
              },
            ]),
      ]
    })
}
