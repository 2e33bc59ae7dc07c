import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { followParent } from './child.mjs'
import { piecesOf, sizeOf } from './objects.mjs'

/*
 * An origin in a process of its own. What it says may be kept for a day.
 */

if (process.send !== undefined) followParent()
const [port = '0', delay = '0'] = process.argv.slice(2)
const delayMs = Number(delay)
let calls = 0

const server = createServer(async (request, response) => {
  calls += 1
  const size = sizeOf(request.url)
  if (delayMs > 0) await sleep(delayMs)
  if (size === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain', 'cache-control': 'max-age=10' })
    response.end('want /SIZE or /SIZE/NAME\n')
    return
  }
  const [stamp, rest] = piecesOf(request.url)
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': size,
    'cache-control': 'public, max-age=86400',
    'last-modified': 'Tue, 01 Sep 2026 08:00:00 GMT',
    etag: `"${size.toString(16)}-1"`,
  })
  // One write for all of it.
  response.cork()
  response.write(stamp)
  response.end(rest)
  response.uncork()
})
server.keepAliveTimeout = 60_000
server.listen(Number(port), '127.0.0.1')
await once(server, 'listening')

const url = `http://127.0.0.1:${server.address().port}`
if (process.send === undefined) process.stdout.write(`origin on ${url}\n`)
else {
  process.on('message', ({ type }) => {
    if (type === 'calls') process.send({ type: 'calls', calls })
  })
  process.send({ type: 'ready', url })
}
