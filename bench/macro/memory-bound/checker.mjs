import { once } from 'node:events'
import { createServer } from 'node:net'
import { stretchOf } from './values.mjs'

/*
 * The other end of the sockets that values are sent into: compares them byte by byte as they come, outside of the
 * process whose memory is measured.
 */

/** A connection begins with one line of JSON: `{ key, version, size }`; the value follows. */
export async function startChecker() {
  const counts = { whole: 0, short: 0, wrong: 0, bytes: 0 }
  const open = new Set()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket)
    let head = Buffer.alloc(0)
    let expected
    let at = 0
    let right = true
    socket.on('data', (chunk) => {
      let bytes = chunk
      if (expected === undefined) {
        head = Buffer.concat([head, chunk])
        const end = head.indexOf('\n')
        if (end < 0) return
        const { key, version, size } = JSON.parse(head.toString('utf8', 0, end))
        expected = stretchOf(key, version, size)
        bytes = head.subarray(end + 1)
      }
      right &&= at + bytes.length <= expected.length && bytes.equals(expected.subarray(at, at + bytes.length))
      at += bytes.length
      counts.bytes += bytes.length
    })
    // One that is broken off may come as an end or as a reset; what counts is how much came.
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
    socket.on('close', () => {
      open.delete(socket)
      if (!right) counts.wrong += 1
      else if (at === expected?.length) counts.whole += 1
      else counts.short += 1
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: server.address().port,
    counts,
    /** Once all that was sent has been looked at. */
    quiet: async () => {
      await Promise.all([...open].map((socket) => once(socket, 'close')))
      return counts
    },
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}
