import { digits, showBytes, showCount, showMs, showPercent } from '../shared/table.mjs'

/*
 * What has to hold of a load.
 */

const LEAST_HIT_RATIO = 0.8
const MOST_P99_MS = 10
/** Of the requests that were due, so many have to be answered before it is a tenth later than it should be. */
const LEAST_RATE = 0.95
/** What a proxy may take beside its tier in memory: the engine and its heap, the pool of buffers, what is on its way, the index of the disk. */
const BESIDE_BYTES = 320 * 2 ** 20

/**
 * @param {ReturnType<import('./summary.mjs').summaryOf>} load
 * @returns {Array<{ claim: string, measured: string, holds: boolean }>}
 */
export function expectationsOf(
  { rate, perSecond, hitRatio, hits, failed, errors, sent, answered, proxy },
  own,
) {
  const all = [
    {
      claim: `${showCount(rate)} requests a second`,
      measured: `${showCount(perSecond)} a second, ${showCount(answered)} of ${showCount(sent)} answered`,
      holds: perSecond >= LEAST_RATE * rate && answered + failed === sent,
    },
    {
      claim: 'no errors, and every byte right',
      measured:
        failed === 0
          ? 'none'
          : Object.entries(errors)
              .map(([why, count]) => `${count} × ${why}`)
              .join(', '),
      holds: failed === 0,
    },
    {
      claim: `more than ${showPercent(LEAST_HIT_RATIO)} hits`,
      measured: showPercent(hitRatio),
      holds: hitRatio > LEAST_HIT_RATIO,
    },
    {
      claim: `99 of 100 hits within ${MOST_P99_MS} ms of their time`,
      measured: hits === undefined ? 'no hits' : showMs(hits.p99),
      holds: hits !== undefined && hits.p99 < MOST_P99_MS,
    },
  ]
  for (const { name, mostBytes, maxBytes, evicted } of proxy.tiers ?? []) {
    all.push({
      claim: `tier ${name} within ${showBytes(maxBytes)}`,
      measured: `at most ${showBytes(mostBytes)}, ${showCount(evicted)} evicted`,
      // Of a proxy of this bench both tiers are too small for all, else their bounds would not be tried.
      holds: mostBytes <= maxBytes && (!own || evicted > 0),
    })
  }
  if (proxy.levels !== undefined) {
    all.push({
      claim: 'health never failing',
      measured: proxy.levels.join(', '),
      holds: !proxy.levels.includes('failing'),
    })
  }
  if (proxy.mostBlocks !== undefined) {
    const { maxBytes } = proxy.tiers.at(-1)
    all.push({
      claim: `the directory takes at most ${showBytes(maxBytes)} of the disk`,
      measured: showBytes(proxy.mostBlocks),
      holds: proxy.mostBlocks <= maxBytes,
    })
  }
  if (proxy.resident !== undefined) {
    const bound = proxy.tiers[0].maxBytes + BESIDE_BYTES
    const peak = proxy.resident.kernelPeak ?? proxy.resident.peak
    all.push({
      claim: `resident memory at most ${showBytes(bound)}`,
      measured: showBytes(peak),
      holds: peak <= bound,
    })
  }
  return all
}

/** Figures that nothing is expected of. */
export function rowsOf({ outcomes, all, late, bytes, again, seconds, generatorCpu, proxy }) {
  const row = (name, one) => [
    name,
    showCount(one.count),
    ...[one.p50, one.p90, one.p99, one.p999, one.max].map(showMs),
  ]
  const rows = Object.entries(outcomes).map(([name, one]) => row(name, one))
  rows.push(row('all', all), row('sent late by', late))
  if (proxy.loopDelay !== undefined) rows.push(row('event loop late by', proxy.loopDelay))
  const said = [`${digits(bytes / 1e6 / seconds)} MB/s`, `generators ${showPercent(generatorCpu)} of a core`]
  if (Number.isFinite(proxy.cpuMs)) said.push(`proxy ${showPercent(proxy.cpuMs / 1000 / seconds)} of a core`)
  if (again > 0) said.push(`${again} asked again, of an idle connection that was just closed`)
  return { rows, said: said.join(', ') }
}
