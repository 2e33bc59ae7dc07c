import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { fetchRaw } from './raw.mjs'

/** What is asked for, and how many bytes that is. */
export const PATHS = { '/1KiB': 1024, '/64KiB': 64 * 1024, '/1MiB': 1024 * 1024 }
/** The same bytes at every run. */
export function bodyOf(size) {
  return createHash('shake256', { outputLength: size }).update(String(size)).digest()
}

const MANY = '/many/'
/** Any number of paths more, of 1 MiB each. */
export const manyPath = (number) => MANY + number

/**
 * Serves each path once, to fill the cache; a call after that is a hit that was none.
 *
 * @param {{ delayMs?: number }} [how] how long it takes to answer
 */
export async function startOrigin({ delayMs = 0 } = {}) {
  let calls = 0
  const server = createServer(async (request, response) => {
    calls += 1
    const body = bodyOf(PATHS[request.url.startsWith(MANY) ? '/1MiB' : request.url])
    if (delayMs > 0) await sleep(delayMs)
    response.writeHead(200, {
      'content-type': 'application/octet-stream',
      'content-length': body.length,
      'cache-control': 'public, max-age=86400',
      'last-modified': 'Tue, 01 Sep 2026 08:00:00 GMT',
      etag: `"${body.length.toString(16)}-1"`,
    })
    response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    calls: () => calls,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * What the proxy at `url` says on a hit for each path, for a bare server to say the same word for word.
 *
 * @returns {Promise<Array<[path: string, headers: string[], body: string]>>} bodies in base64
 */
export async function hitsOf(url) {
  const answers = []
  for (const path of Object.keys(PATHS)) {
    await fetchRaw(url + path)
    const { headers, body } = await fetchRaw(url + path)
    answers.push([path, headers, body.toString('base64')])
  }
  return answers
}
