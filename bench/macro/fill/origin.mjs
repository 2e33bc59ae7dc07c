/*
 * In a process of its own: an origin that sends a body as fast as it is taken. Says where it listens.
 */
import { createServer } from 'node:http'
import { pipeline, Readable } from 'node:stream'
import { followParent, fromParent } from '../../shared/child.mjs'
import { bodyOf } from './body.mjs'

followParent()
const { size } = await fromParent('serve')
const server = createServer((request, response) => {
  if (request.url === '/declared') response.setHeader('content-length', size)
  // One that is left has ended as its reader wanted.
  pipeline(Readable.from(bodyOf(size), { objectMode: false }), response, () => undefined)
})
server.listen(0, '127.0.0.1', () => process.send({ type: 'serving', port: server.address().port }))
