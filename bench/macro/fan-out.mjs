import { startChild } from '../shared/child.mjs'
import { watchResident } from '../shared/resident.mjs'
import { median, percentile } from '../shared/statistics.mjs'
import { layOut, showMiB, showMs } from '../shared/table.mjs'
import { startPacedOrigin } from './fan-out/paced-origin.mjs'

/*
 * One fill, many readers. Each run is a fresh process: a cache with `maxItemBytes: '128MiB'`, an origin that sends
 * 50 MB within 2.5 s, readers that join at random moments of it and hash every byte.
 *
 * 200 readers hash 10 GB, which keeps a processor busy for longer than the origin sends: these runs show bytes and
 * memory. 20 readers are done when the origin is: these show whether one that stops for seconds slows the others.
 */

const MB = 1e6
const MiB = 2 ** 20
const BODY_BYTES = 50 * MB
const SEND_MS = 2500
const PAUSE_MS = 3000
const SAMPLE_MS = 20
const MANY = 200
const FEW = 20
const ALLOWED_BYTES = 64 * MiB

const script = new URL('./fan-out/readers.mjs', import.meta.url)

async function once(readers, pauseMs, seed) {
  const origin = await startPacedOrigin(BODY_BYTES, SEND_MS)
  const child = startChild(script)
  try {
    await child.receive('awake')
    child.send({ type: 'prepare', url: origin.url, size: BODY_BYTES, readers, seed, pauseMs })
    await child.receive('ready')
    const watch = watchResident(child.pid, SAMPLE_MS)
    child.send({ type: 'go' })
    const { results, fills, loopDelay } = await child.receive('done')
    const memory = watch.stop()
    child.send({ type: 'end' })
    const exit = await child.exited
    const whole = results.filter(
      ({ sha256, bytes }) => sha256 === origin.sha256 && bytes === BODY_BYTES,
    ).length
    const joined = results.filter(({ outcome }) => outcome === 'joined').length
    const finished = results.filter(({ slow }) => !slow).map(({ finishedMs }) => finishedMs)
    return {
      readers,
      pauseMs,
      exit,
      calls: origin.calls(),
      fills,
      whole,
      joined,
      memory,
      over: memory.peak - memory.start - BODY_BYTES,
      medianFinishMs: median(finished),
      lastFinishMs: percentile(finished, 1),
      loopDelay,
    }
  } finally {
    await child.stop()
    await origin.close()
  }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const rounds = quick ? 1 : 3
  say(`  one body of ${BODY_BYTES / MB} MB sent over ${SEND_MS / 1000} s; a process for each run`)
  const many = []
  const few = []
  for (let round = 0; round < rounds; round += 1) {
    for (const pauseMs of [0, PAUSE_MS]) many.push(await once(MANY, pauseMs, 1 + round))
    for (const pauseMs of [0, PAUSE_MS]) few.push(await once(FEW, pauseMs, 1 + round))
  }
  const runs = [...many, ...few]
  say()
  say(layOut(HEAD, runs.map(rowOf)))
  say(
    `  over: resident memory beyond start + body, highest of the samples every ${SAMPLE_MS} ms; kernel: its own highest mark`,
  )

  const finish = (paused) =>
    few.filter(({ pauseMs }) => pauseMs > 0 === paused).map((one) => one.medianFinishMs)
  const slowedMs = median(finish(true)) - median(finish(false))
  const worst = Math.max(...runs.map(({ over }) => over))
  const every = (holds) => runs.every(holds)
  const list = (figure) => runs.map(figure).join(', ')
  return {
    figures: { bodyBytes: BODY_BYTES, runs, worstOverBytes: worst, slowedMs },
    claims: [
      claim(
        'one origin call',
        list(({ calls }) => calls),
        every(({ calls, fills }) => calls === 1 && fills === 1),
      ),
      claim(
        'correct bodies by SHA-256',
        list(({ whole, readers }) => `${whole}/${readers}`),
        every(({ whole, readers }) => whole === readers),
      ),
      claim(
        'all but the first joined mid-stream',
        list(({ joined }) => joined),
        every(({ joined, readers }) => joined === readers - 1),
      ),
      claim(
        `resident memory at most start + body + ${showMiB(ALLOWED_BYTES)}`,
        `+ ${showMiB(worst)} at most`,
        worst <= ALLOWED_BYTES,
      ),
      claim(
        `one that stops for ${PAUSE_MS / 1000} s slows no other`,
        `median finish of the others moves by ${showMs(slowedMs)}`,
        // Had they waited for it, they would be most of the pause later.
        slowedMs < PAUSE_MS / 10,
      ),
      claim(
        'processes end by themselves',
        list(({ exit }) => exit),
        every(({ exit }) => exit === 0),
      ),
    ],
  }
}

const HEAD = [
  'run',
  'calls',
  'right',
  'joined',
  'start',
  'peak',
  'over',
  'kernel',
  'median finish',
  'loop max',
]

function rowOf(one) {
  const { start, peak, kernelPeak } = one.memory
  return [
    `${one.readers} readers${one.pauseMs === 0 ? '' : `, one stops for ${one.pauseMs / 1000} s`}`,
    String(one.calls),
    `${one.whole} / ${one.readers}`,
    String(one.joined),
    showMiB(start),
    showMiB(peak),
    showMiB(one.over),
    kernelPeak === undefined ? '-' : showMiB(kernelPeak - start - BODY_BYTES),
    showMs(one.medianFinishMs),
    showMs(one.loopDelay.maxMs),
  ]
}

function claim(text, measured, holds) {
  return { claim: text, measured: String(measured), holds }
}
