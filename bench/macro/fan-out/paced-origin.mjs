import { createCipheriv, createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'

/*
 * An origin that sends one body at an even pace, as a wire of limited width would, and counts who asks for it.
 */

const TICK_MS = 4

/** Bytes that no compressor or lucky repetition can make right by mistake; the same at every run. */
function noise(size) {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(Buffer.alloc(size))
}

/**
 * @param {number} size of the body in bytes
 * @param {number} durationMs over which it is sent
 */
export async function startPacedOrigin(size, durationMs) {
  const body = noise(size)
  let calls = 0
  const server = createServer((request, response) => {
    response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' })
    if (request.method === 'HEAD') return response.end()
    calls += 1
    send(response).catch((error) => response.destroy(error))
  })
  const send = async (response) => {
    const began = performance.now()
    let sent = 0
    while (sent < size) {
      await new Promise((resolve) => setTimeout(resolve, TICK_MS))
      const due = Math.min(size, Math.ceil(((performance.now() - began) / durationMs) * size))
      const more = response.write(body.subarray(sent, due))
      sent = due
      if (!more) await once(response, 'drain')
    }
    response.end()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}/body`,
    sha256: createHash('sha256').update(body).digest('hex'),
    calls: () => calls,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}
