import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from '../shared/child.mjs'
import { digits, layOut, showCount, showMiB, showMs, showPercent } from '../shared/table.mjs'
import { blocksAtOnce, blocksOf } from './disk-churn/blocks.mjs'

/*
 * Whether the disk's `maxBytes` is true: a churn of twenty times as much, of all sizes from a byte to several times the
 * pack limit, with compression and without, by both engines. The blocks in use are looked at from outside, those of
 * files without a name too; where they seem too many, the process is stopped for a moment and they are looked at again,
 * because what moves while it is counted is counted twice.
 *
 * Then the same at a pace that leaves the disk time, with what reclaim does held to what is needed and without any
 * limit: what a get takes at the 99th percentile.
 */

const MiB = 2 ** 20
const SAMPLE_MS = 50
const MAX_BYTES = 64 * MiB
const TIMES = 20
const PACK_LIMIT = 64 * 1024
const LARGEST = 8 * PACK_LIMIT
const KEYS = 8000
const ENGINES = { native: '1', js: '0' }
const CODECS = ['none', 'lz4']
/** Bytes a second of the second part. */
const PACE = 24 * MiB

const script = new URL('./disk-churn/churn.mjs', import.meta.url)

async function churn({ engine, compression, times, paced = 0, limited = true }) {
  const dir = mkdtempSync(join(tmpdir(), 'drey-churn-'))
  const env = { DREY_NATIVE: ENGINES[engine] }
  const child = startChild(script, { env })
  const seen = { samples: 0, over: 0, most: 0, unlinked: 0 }
  const sample = () => {
    let now = blocksOf(dir, child.pid)
    if (now.bytes > MAX_BYTES) now = blocksAtOnce(dir, child.pid)
    seen.samples += 1
    seen.over += now.bytes > MAX_BYTES ? 1 : 0
    seen.most = Math.max(seen.most, now.bytes)
    seen.unlinked = Math.max(seen.unlinked, now.unlinked)
  }
  let timer
  try {
    await child.receive('awake')
    const options = {
      dir,
      maxBytes: MAX_BYTES,
      packLimit: PACK_LIMIT,
      minFree: 0,
      compression,
      ...(limited ? {} : { reclaimRate: 0 }),
    }
    const begin = { options, writes: times * MAX_BYTES, largest: LARGEST, keys: KEYS, paced }
    child.send({ type: 'begin', ...begin })
    await child.receive('ready')
    timer = setInterval(sample, SAMPLE_MS)
    const churned = await child.receive('churned')
    clearInterval(timer)
    sample()
    child.send({ type: 'end' })
    await child.exited
    return { engine, compression, limited, ...seen, ...churned }
  } finally {
    clearInterval(timer)
    await child.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

const BOUND_HEAD = [
  'engine',
  'codec',
  'written',
  'MiB/s',
  'most blocks',
  'samples',
  'over',
  'unlinked',
  'hits',
]
BOUND_HEAD.push('write ×', 'space ×', 'reclaimed', 'refused')

function boundRow(one) {
  const { did, stats } = one
  return [
    one.engine,
    one.compression,
    showMiB(one.written),
    digits(one.written / MiB / one.seconds),
    showMiB(one.most),
    showCount(one.samples),
    showCount(one.over),
    showCount(one.unlinked),
    showPercent(did.hits / did.gets),
    digits(stats.writeAmplification),
    digits(one.bytes / one.live),
    showCount(stats.reclaimed),
    showCount(did.refused),
  ]
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const times = quick ? 4 : TIMES
  say(
    `  ${times} times ${showMiB(MAX_BYTES)}; blocks sampled every ${SAMPLE_MS} ms, those of unlinked files too`,
  )
  const bound = []
  for (const engine of Object.keys(ENGINES)) {
    for (const compression of CODECS) bound.push(await churn({ engine, compression, times }))
  }
  say()
  say(layOut(BOUND_HEAD, bound.map(boundRow)))
  say(
    '  write ×: bytes written for each byte given; space ×: bytes of the disk for each byte of the entries there',
  )

  say()
  say(`  get while ${showMiB(PACE)} a second are written, reclaim with its limit and without`)
  const paced = []
  for (const engine of Object.keys(ENGINES)) {
    for (const limited of [true, false]) {
      paced.push(await churn({ engine, compression: 'none', times: quick ? 2 : 8, paced: PACE, limited }))
    }
  }
  say()
  say(
    layOut(
      ['engine', 'reclaim', 'p50', 'p99', 'p99.9', 'loop p99', 'hits', 'write ×', 'refused'],
      paced.map((one) => [
        one.engine,
        one.limited ? 'limited' : 'unlimited',
        showMs(one.get.p50),
        showMs(one.get.p99),
        showMs(one.get.p999),
        showMs(one.loop),
        showPercent(one.did.hits / one.did.gets),
        digits(one.stats.writeAmplification),
        showCount(one.did.refused),
      ]),
    ),
  )
  const all = [...bound, ...paced]
  return {
    figures: { bound, paced },
    claims: [
      {
        claim: 'the blocks in use never exceed maxBytes',
        measured: all.map(({ most }) => showMiB(most)).join(', '),
        holds: all.every(({ over }) => over === 0),
      },
      {
        claim: 'no byte is wrong, and the store says of no entry that it is corrupt',
        measured: `${all.reduce((sum, { did }) => sum + did.hits, 0)} hits compared`,
        holds: all.every(({ did, stats }) => did.wrong === 0 && stats.corrupt === 0),
      },
      {
        claim: 'write amplification stays below 2.2',
        measured: bound.map(({ stats }) => digits(stats.writeAmplification)).join(', '),
        holds: bound.every(({ stats }) => stats.writeAmplification < 2.2),
      },
    ],
  }
}
