import { once } from 'node:events'
import { Agent, createServer } from 'node:http'
import { median, percentile, spread } from '../shared/statistics.mjs'
import { layOut, showMs } from '../shared/table.mjs'
import { startProxy } from './http/drey.mjs'
import { fetchRaw } from './http/raw.mjs'

/*
 * First-byte time on a miss. The origin sends the first half of a body at once and the rest later, so that a cache
 * that waits for the whole body shows. Direct and through the cache alternate, one request at a time, each through the
 * cache for something that was never asked for.
 */

const HALF = Buffer.alloc(32 * 1024, 'x')
const REST_AFTER_MS = 30

async function startOrigin() {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 2 * HALF.length, 'cache-control': 'max-age=3600' })
    response.write(HALF)
    setTimeout(() => response.end(HALF), REST_AFTER_MS)
  })
  server.keepAliveTimeout = 60_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const count = quick ? 50 : 200
  const warmUp = 50
  const origin = await startOrigin()
  const proxy = await startProxy(origin.url)
  const agent = new Agent({ keepAlive: true })
  const times = { direct: [], 'on a miss': [], 'on a hit': [] }
  try {
    const ask = async (kind, url, keep) => {
      const { status, body, headers, firstByteMs } = await fetchRaw(url, agent)
      const said = headers[headers.findIndex((name) => name.toLowerCase() === 'cache-status') + 1]
      if (status !== 200 || body.length !== 2 * HALF.length) throw new Error(`${url} answered ${status}`)
      if (kind === 'on a miss' && !/fwd=/.test(said)) throw new Error(`${url} was no miss: ${said}`)
      if (keep) times[kind].push(firstByteMs)
    }
    say(`  a body of 64 KiB, its second half ${REST_AFTER_MS} ms late; ${count} requests each, alternating`)
    for (let at = 0; at < warmUp + count; at += 1) {
      await ask('direct', `${origin.url}/${at}`, at >= warmUp)
      await ask('on a miss', `${proxy.url}/${at}`, at >= warmUp)
      await ask('on a hit', `${proxy.url}/${at}`, at >= warmUp)
    }
  } finally {
    agent.destroy()
    await proxy.stop()
    await origin.close()
  }

  const rows = Object.entries(times).map(([kind, list]) => [
    kind,
    showMs(median(list)),
    showMs(percentile(list, 0.9)),
    showMs(percentile(list, 0.99)),
  ])
  say()
  say(layOut(['first byte', 'p50', 'p90', 'p99'], rows))
  const added = median(times['on a miss']) - median(times.direct)
  return {
    figures: { times, addedMs: added, spread: spread(times.direct) },
    claims: [
      {
        claim: 'the first byte does not wait for the last',
        measured: `${showMs(median(times['on a miss']))}, the last comes after ${REST_AFTER_MS} ms`,
        holds: median(times['on a miss']) < REST_AFTER_MS / 2,
      },
      {
        claim: 'the cache adds at most 2 ms to the first byte of a miss',
        measured: showMs(added),
        holds: added <= 2,
      },
    ],
  }
}
