import { startChild } from '../shared/child.mjs'
import { watchResident } from '../shared/resident.mjs'
import { layOut, showCount, showMiB, showPercent } from '../shared/table.mjs'
import { startChecker } from './memory-bound/checker.mjs'
import { LARGEST } from './memory-bound/values.mjs'

/*
 * Whether `maxBytes` is true, and whether memory goes where it is wanted.
 *
 * First, ten times `maxBytes` are written, filled, deleted, read back and let expire, in a process that is watched from
 * outside, and by the kernel, which keeps the highest mark between two samples. It starts when the process has done the
 * same work over a small store, which stays open.
 *
 * With a million small writes the JS heap alone comes and goes by 20 to 30 MiB as V8 collects, whatever the store: there
 * the claim is about the rest.
 *
 * Then values go from 200 B to 20 KB. Memory lies divided into slots for small ones, and has to change hands.
 */

const MiB = 2 ** 20
const SAMPLE_MS = 5
/** Resident memory beyond start + maxBytes. Of the js engine the garbage is V8's to collect: docs/reference/memory.md. */
const ALLOWED = { native: 24 * MiB, js: 256 * MiB }
const ENGINES = { native: '1', js: '0' }
const POINT = 0.01
const TURNOVERS = 2
// At its full size from the beginning: where it grows while it is watched, that would be taken for the store's.
const FLAGS = ['--min-semi-space-size=16']

const mixed = { values: '1 B to 4 MB', smallest: 1, largest: LARGEST, wholeProcess: true }
const small = { values: '1 B to 16 KB', smallest: 1, largest: 16_000, wholeProcess: false }
/** A row has about four keys for each entry that fits. */
const ROWS = [
  { ...mixed, maxBytes: 64 * MiB, keys: 1000, quick: true },
  { ...mixed, maxBytes: 256 * MiB, keys: 4000 },
  { ...mixed, maxBytes: 1024 * MiB, keys: 16_000 },
  { ...small, maxBytes: 64 * MiB, keys: 250_000 },
]
const SHIFTS = [
  { shift: 'same keys', otherKeys: false, quick: true },
  { shift: 'other keys, too', otherKeys: true },
]
const SHIFT = { maxBytes: 64 * MiB, keys: 1_000_000 }

const churnScript = new URL('./memory-bound/churn.mjs', import.meta.url)
const shiftScript = new URL('./memory-bound/shift.mjs', import.meta.url)

async function churn(engine, { values, wholeProcess, maxBytes, smallest, largest, keys }) {
  const checker = await startChecker()
  const child = startChild(churnScript, { flags: FLAGS, env: { DREY_NATIVE: ENGINES[engine] } })
  try {
    await child.receive('awake')
    child.send({ type: 'prepare', maxBytes, smallest, largest, keys, port: checker.port })
    await child.receive('ready')
    const watch = watchResident(child.pid, SAMPLE_MS)
    child.send({ type: 'churn' })
    const churned = await child.receive('churned')
    const memory = watch.stop()
    const sockets = await checker.quiet()
    child.send({ type: 'end' })
    const exit = await child.exited
    const { start, peak, samples, kernelPeak = peak } = memory
    const over = Math.max(peak, kernelPeak) - start - maxBytes
    const beside = over - Math.max(0, churned.heapGrown)
    return { engine, values, maxBytes, wholeProcess, start, over, beside, samples, sockets, exit, ...churned }
  } finally {
    await child.stop()
    await checker.close()
  }
}

async function shift(engine, { shift: name, otherKeys }) {
  const child = startChild(shiftScript, { env: { DREY_NATIVE: ENGINES[engine] } })
  try {
    await child.receive('awake')
    child.send({ type: 'prepare', ...SHIFT, otherKeys })
    await child.receive('ready')
    child.send({ type: 'shift' })
    const { windows } = await child.receive('shifted')
    child.send({ type: 'end' })
    await child.exited
    return { engine, name, otherKeys, windows, reachedAt: reachedAt(windows) }
  } finally {
    await child.stop()
  }
}

/** After how many turnovers it is within a point for good; undefined where it never is. */
function reachedAt(windows) {
  const last = windows.findLastIndex(({ shifted, fresh }) => shifted < fresh - POINT)
  return windows[last + 1]?.turnovers
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  say(`  ten times maxBytes; resident memory sampled every ${SAMPLE_MS} ms, and the kernel's highest mark`)
  const churns = []
  for (const row of ROWS.filter((one) => one.quick || !quick)) {
    for (const engine of Object.keys(ENGINES)) churns.push(await churn(engine, row))
  }
  say()
  say(layOut(CHURN_HEAD, churns.map(churnRow)))
  say(
    '  over: beyond start + maxBytes, at the highest; heap: what the JS heap grew by at its largest; read: compared byte by byte',
  )

  const shifts = []
  for (const row of SHIFTS.filter((one) => one.quick || !quick)) {
    for (const engine of Object.keys(ENGINES)) shifts.push(await shift(engine, row))
  }
  say()
  say(
    `  hits after values went from 200 B to 20 KB, beside a fresh store; maxBytes ${showMiB(SHIFT.maxBytes)}, ${showCount(SHIFT.keys)} keys by Zipf 0.9`,
  )
  say(layOut(['turnovers since', ...shifts.flatMap(shiftHead)], shiftRows(shifts)))

  const list = (figure) => churns.map(figure).join(', ')
  const bounds = Object.entries(ALLOWED).flatMap(([engine, allowed]) => {
    const most = (rows, figure) => Math.max(...rows.map(figure))
    const ofEngine = churns.filter((one) => one.engine === engine)
    const bound = `start + maxBytes + ${showMiB(allowed)}`
    const claims = [
      [
        `${engine}: resident memory at most ${bound}`,
        ofEngine.filter((one) => one.wholeProcess),
        (one) => one.over,
      ],
      [`${engine}: the same without the JS heap, small values, too`, ofEngine, (one) => one.beside],
    ]
    return claims.map(([claim, rows, figure]) => ({
      claim,
      measured: `+ ${showMiB(most(rows, figure))} at most`,
      holds: most(rows, figure) <= allowed,
    }))
  })
  const same = shifts.filter(({ otherKeys }) => !otherKeys)
  return {
    figures: { churns, shifts },
    claims: [
      ...bounds,
      {
        claim: 'the store never holds more than maxBytes',
        measured: list(({ mostHeld, maxBytes }) => `${showMiB(mostHeld)} of ${showMiB(maxBytes)}`),
        holds: churns.every(({ mostHeld, maxBytes }) => mostHeld <= maxBytes),
      },
      {
        claim: 'what was sent is right, and whole unless it was broken off',
        measured: list(
          ({ sockets }) => `${sockets.whole} whole, ${sockets.short} broken off, ${sockets.wrong} wrong`,
        ),
        holds: churns.every(
          ({ sockets, sent, sentInPart }) =>
            sockets.wrong === 0 && sockets.whole >= sent && sockets.short <= sentInPart,
        ),
      },
      {
        claim: `hits are within a point of a fresh store's inside ${TURNOVERS} turnovers, the keys being the same`,
        measured: same.map(({ engine, reachedAt: at }) => `${engine} from ${at ?? 'never'}`).join(', '),
        holds: same.every(({ reachedAt: at }) => at <= TURNOVERS),
      },
      {
        claim: 'processes end by themselves',
        measured: list(({ exit }) => exit),
        holds: churns.every(({ exit }) => exit === 0),
      },
    ],
  }
}

const CHURN_HEAD = [
  'values',
  'engine',
  'maxBytes',
  'start',
  'over',
  'heap',
  'writes',
  'fills',
  'broken off',
  'deletes',
  'expired',
  'evicted',
  'read',
]

function churnRow(one) {
  const { did, stats } = one
  return [
    one.values,
    one.engine,
    showMiB(one.maxBytes),
    showMiB(one.start),
    showMiB(one.over),
    showMiB(one.heapGrown),
    showCount(did.sets + did.streams),
    showCount(did.fills),
    showCount(did.brokenOff),
    showCount(did.deletes),
    showCount(stats.expirations),
    showCount(stats.evictions),
    showMiB(one.read),
  ]
}

function shiftHead({ engine, name }) {
  return [`${engine}, ${name}`, 'fresh', 'difference']
}

function shiftRows(shifts) {
  return shifts[0].windows.map(({ turnovers }, at) => [
    String(turnovers),
    ...shifts.flatMap(({ windows }) => {
      const { shifted, fresh } = windows[at]
      return [showPercent(shifted), showPercent(fresh), `${((shifted - fresh) * 100).toFixed(1)}`]
    }),
  ])
}
