import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { createServer } from 'node:http'
import { pipeline } from 'node:stream'
import { followParent } from '../shared/child.mjs'
import { readCatalogue } from './catalogue.mjs'

/*
 * The sample origin, a process of its own: real files, each answer 30 ms late, as from another city.
 */

const DELAY_MS = 30
const MAX_AGE_S = 3600

followParent()
// A terminal sends Ctrl-C to every process; the parent says when to stop.
process.on('SIGINT', () => undefined)

const files = new Map(readCatalogue().map((item) => [item.path, item]))

const TYPES = {
  js: 'text/javascript',
  json: 'application/json',
  md: 'text/markdown',
  html: 'text/html',
  ts: 'text/plain',
}

function answer(request, response) {
  const item = files.get(request.url)
  if (item === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(item === undefined ? 404 : 405, {
      'content-type': 'text/plain',
      'cache-control': 'max-age=10',
    })
    response.end(item === undefined ? 'no such file\n' : 'want GET or HEAD\n')
    return
  }
  const etag = `"${item.size.toString(16)}-${Math.floor(item.modified.getTime()).toString(16)}"`
  const head = { etag, 'last-modified': item.modified.toUTCString(), 'cache-control': `max-age=${MAX_AGE_S}` }
  if (request.headers['if-none-match'] === etag) {
    response.writeHead(304, head)
    response.end()
    return
  }
  const type = TYPES[item.path.slice(item.path.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
  response.writeHead(200, { ...head, 'content-type': type, 'content-length': item.size })
  if (request.method === 'HEAD') response.end()
  // A client that leaves, or a file that is gone, ends this answer and no other.
  else pipeline(createReadStream(item.file), response, () => undefined)
}

const server = createServer((request, response) => setTimeout(answer, DELAY_MS, request, response))
server.keepAliveTimeout = 60_000
server.listen(Number(process.argv[2] ?? 0), '127.0.0.1')
await once(server, 'listening')
process.send({ type: 'ready', url: `http://127.0.0.1:${server.address().port}`, files: files.size })
