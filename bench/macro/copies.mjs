import { startChild } from '../shared/child.mjs'
import { median } from '../shared/statistics.mjs'
import { layOut, showCount, showMiB } from '../shared/table.mjs'

/*
 * A minute of copies and tees, 200 at once, of every kind of source and sink, a third of them aborted at random: every byte is
 * checked where it arrives, Buffers are poisoned when they come back, and at the end all are back.
 */

const MiB = 2 ** 20
const MAX_BYTES = 64 * MiB
const CONCURRENCY = 200
const SCRIPT = new URL('./copies/child.mjs', import.meta.url)
const ENGINES = { native: '1', js: '0' }
/** How much more the process may have in the last third than in the one before: V8's heap breathes by some of it. */
const FLAT = 16 * MiB

async function soak(supply, ms) {
  const child = startChild(SCRIPT, { env: { DREY_NATIVE: ENGINES[supply] } })
  const ran = child.receive('ran')
  child.send({ type: 'run', supply, concurrency: CONCURRENCY, ms, maxBytes: MAX_BYTES })
  const figures = await ran
  await child.exited
  const third = (from) =>
    median(
      figures.samples
        .filter(([at]) => at >= (from * ms) / 3 && at < ((from + 1) * ms) / 3)
        .map(([, rss]) => rss),
    )
  return { ...figures, middle: third(1), last: third(2) }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const ms = quick ? 6000 : 60_000
  const rows = []
  for (const supply of Object.keys(ENGINES)) rows.push(await soak(supply, ms))
  say(
    `  ${CONCURRENCY} at once for ${ms / 1000} s, maxBytes ${showMiB(MAX_BYTES)}, debug mode, sizes 1 B to 2 MiB`,
  )
  say()
  say(
    layOut(
      [
        'supply',
        'whole',
        'aborted',
        'tees',
        'checked',
        'most held',
        'resident, middle',
        'last',
        'out at the end',
        'poisoned',
      ],
      rows.map(({ supplyKind, counts, most, middle, last, active, poisoned }) => [
        supplyKind,
        showCount(counts.whole),
        showCount(counts.aborted),
        showCount(counts.tees),
        showMiB(counts.bytes),
        showMiB(most),
        showMiB(middle),
        showMiB(last),
        String(active),
        String(poisoned),
      ]),
    ),
  )
  return {
    figures: rows.map(({ samples, ...row }) => row),
    claims: rows.flatMap(
      ({ supplyKind, counts, over, most, middle, last, active, poisoned, refused, leaked }) => [
        {
          claim: `${supplyKind}: every byte right, nobody wrote to what was given back`,
          measured: `${showCount(counts.whole)} whole, ${poisoned} poisoned, ${refused.again} put twice`,
          holds: poisoned === 0 && refused.again === 0 && counts.whole > 0,
        },
        {
          claim: `${supplyKind}: all Buffers come back`,
          measured: `${active} out, ${leaked} lost`,
          holds: active === 0 && leaked === 0,
        },
        {
          claim: `${supplyKind}: what the pool holds is within maxBytes at every sample`,
          measured: `${showMiB(most)} at most`,
          holds: over === 0,
        },
        {
          claim: `${supplyKind}: resident memory is flat`,
          measured: `${showMiB(last - middle)} more in the last third`,
          holds: last - middle <= FLAT,
        },
      ],
    ),
  }
}
