import { median, percentile } from '../shared/statistics.mjs'
import { layOut, showBytes, showCount, showMs, showPercent } from '../shared/table.mjs'

/*
 * What the first run says at its end.
 */

const share = (outcomes, outcome) => outcomes.filter((one) => one === outcome).length / outcomes.length

/** First-byte times of the requests that went to the origin. */
function onMiss({ firstByteMs, outcomes }) {
  return firstByteMs.filter((_, at) => outcomes[at] === 'miss')
}

/**
 * Direct against through the cache, in lines.
 *
 * @param {{ totalMs: number[], firstByteMs: number[] }} direct
 * @param {{ totalMs: number[], firstByteMs: number[], outcomes: string[] }} cached
 * @param {{ entries: number, bytes: number, maxBytes: number }} memory
 */
export function showResult(direct, cached, memory) {
  const rows = [
    ['response time, p50', showMs(percentile(direct.totalMs, 0.5)), showMs(percentile(cached.totalMs, 0.5))],
    [
      'response time, p99',
      showMs(percentile(direct.totalMs, 0.99)),
      showMs(percentile(cached.totalMs, 0.99)),
    ],
    ['first byte on a miss, p50', showMs(median(direct.firstByteMs)), showMs(median(onMiss(cached)))],
    ['hit ratio', '-', showPercent(share(cached.outcomes, 'hit'))],
    ['joined a fill under way', '-', showPercent(share(cached.outcomes, 'joined'))],
    ['files in memory', '-', showCount(memory.entries)],
    ['bytes in memory', '-', `${showBytes(memory.bytes)} of ${showBytes(memory.maxBytes)}`],
  ]
  return layOut(['', 'direct', 'through the cache'], rows)
}

/** Whether the addon is active, in a line. */
export function showNative(native) {
  return native.loaded
    ? `native addon: active (crc32c: ${native.crc32c})`
    : `native addon: not active, the JavaScript path does the work (${native.reason})`
}

/** What to try by hand, in lines. `example` is the path of a file, `fresh` that of one that nobody has asked for. */
export function showTries({ origin, proxy, example, fresh, originPid }) {
  return `Both are still up. In another terminal, try:

  # a hit: look at Cache-Status and Age
  curl -sD- -o /dev/null ${proxy}${example}

  # the first time a miss that takes as long as the origin, the second time a hit
  curl -s -o /dev/null -w '%{http_code} in %{time_total} s\\n' ${proxy}${fresh}

  # the same without the cache: always 30 ms and more
  curl -s -o /dev/null -w '%{http_code} in %{time_total} s\\n' ${origin}${fresh}

  # a part of it, and nothing at all where the client has it already
  curl -s -r 0-99 ${proxy}${example}
  curl -sD- -o /dev/null -H 'If-None-Match: *' ${proxy}${example}

  # take the origin away: what is in memory still answers, the rest says 502
  kill ${originPid}

Ctrl-C ends it.`
}
