import { startChild } from '../shared/child.mjs'
import { watchResident } from '../shared/resident.mjs'
import { median, percentile, spread } from '../shared/statistics.mjs'
import { layOut, showMiB, showMs, showPercent } from '../shared/table.mjs'
import { startPacedOrigin } from './fan-out/paced-origin.mjs'

/*
 * One fill, many readers. Each run is a fresh process: a cache with `maxItemBytes: '128MiB'`, an origin that sends
 * 50 MB within 2.5 s, 200 readers that join at random moments of it and hash every byte. Runs in which one reader stops for
 * seconds alternate with runs in which none does.
 */

const MB = 1e6
const MiB = 2 ** 20
const BODY_BYTES = 50 * MB
const SEND_MS = 2500
const PAUSE_MS = 3000
const SAMPLE_MS = 20
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
    const whole = results.filter(({ sha256, bytes }) => sha256 === origin.sha256 && bytes === BODY_BYTES).length
    const joined = results.filter(({ outcome }) => outcome === 'joined').length
    const finished = results.filter(({ slow }) => !slow).map(({ finishedMs }) => finishedMs)
    return {
      pauseMs,
      exit,
      calls: origin.calls(),
      fills,
      whole,
      joined,
      memory,
      over: (memory.kernelPeak ?? memory.peak) - memory.start - BODY_BYTES,
      overSampled: memory.peak - memory.start - BODY_BYTES,
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
  const readers = 200
  const rounds = quick ? 1 : 3
  say(`  ${readers} readers, one body of ${BODY_BYTES / MB} MB sent over ${SEND_MS / 1000} s; a process for each run`)
  const runs = []
  for (let round = 0; round < rounds; round += 1) {
    for (const pauseMs of [0, PAUSE_MS]) runs.push(await once(readers, pauseMs, 1 + round))
  }

  const rows = runs.map((one) => [
    one.pauseMs === 0 ? 'all at full speed' : `one stops for ${one.pauseMs / 1000} s`,
    String(one.calls),
    `${one.whole} / ${readers}`,
    `${one.joined}`,
    showMiB(one.memory.start),
    showMiB(one.memory.peak),
    one.memory.kernelPeak === undefined ? '-' : showMiB(one.memory.kernelPeak),
    showMiB(one.over),
    showMs(one.medianFinishMs),
    showMs(one.loopDelay.maxMs),
  ])
  say()
  say(
    layOut(
      ['run', 'calls', 'right', 'joined', 'start', 'peak', 'kernel', 'over', 'median finish', 'loop max'],
      rows,
    ),
  )
  say(`  over: highest resident memory beyond start + body; samples every ${SAMPLE_MS} ms, and the kernel's own mark`)

  const steady = runs.filter(({ pauseMs }) => pauseMs === 0).map(({ medianFinishMs }) => medianFinishMs)
  const beside = runs.filter(({ pauseMs }) => pauseMs > 0).map(({ medianFinishMs }) => medianFinishMs)
  const slowed = median(beside) - median(steady)
  const worst = Math.max(...runs.map(({ overSampled }) => overSampled))
  const every = (holds) => runs.every(holds)
  return {
    figures: { readers, bodyBytes: BODY_BYTES, runs, slowedMs: slowed, finishSpread: spread(steady) },
    claims: [
      claim('one origin call', runs.map(({ calls }) => calls).join(', '), every(({ calls, fills }) => calls === 1 && fills === 1)),
      claim(
        `${readers} correct bodies by SHA-256`,
        runs.map(({ whole }) => whole).join(', '),
        every(({ whole }) => whole === readers),
      ),
      claim(
        'all but the first joined mid-stream',
        runs.map(({ joined }) => joined).join(', '),
        every(({ joined }) => joined === readers - 1),
      ),
      claim(`resident memory at most start + body + ${showMiB(ALLOWED_BYTES)}`, `+ ${showMiB(worst)} at most`, worst <= ALLOWED_BYTES),
      claim(
        `a reader that stops for ${PAUSE_MS / 1000} s slows no other`,
        `their median finish moves by ${showMs(slowed)}, ${showPercent(slowed / median(steady))}, where runs alike are ${showPercent(spread(steady))} apart`,
        // Had they waited for it, they would be all of the pause later.
        slowed < PAUSE_MS / 3,
      ),
      claim('processes end by themselves', runs.map(({ exit }) => exit).join(', '), every(({ exit }) => exit === 0)),
    ],
  }
}

function claim(text, measured, holds) {
  return { claim: text, measured: String(measured), holds }
}
