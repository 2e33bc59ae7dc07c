import { once } from 'node:events'
import { createServer } from 'node:http'
import { followParent, fromParent } from '../../shared/child.mjs'

/*
 * What is left when a proxy does nothing: a server that has every head and body ready.
 */

followParent()
// By itself, so that a profile is written.
process.on('SIGTERM', () => process.exit(0))
process.send({ type: 'awake' })
const { answers } = await fromParent('answers')
const ready = new Map(
  answers.map(([path, headers, body]) => [path, { headers, body: Buffer.from(body, 'base64') }]),
)

const server = createServer((request, response) => {
  const { headers, body } = ready.get(request.url)
  response.writeHead(200, headers)
  response.end(body)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.send({ type: 'ready', url: `http://127.0.0.1:${server.address().port}` })
