import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createConnection, createServer as createNetServer } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import type { ByteRange, Found } from '../../lib/index.js'

/** How a reading came out: what was read, and the error that ended it, if any. Without one it ended cleanly. */
export interface Reading {
  readonly bytes: Buffer
  readonly error: (Error & { readonly code?: string }) | undefined
}

/** The shapes in which a body can be read. Those of `WHOLE_SHAPES` take no range. */
export const WHOLE_SHAPES = ['bytes', 'text', 'iterate'] as const
export const RANGE_SHAPES = [
  'stream',
  'data',
  'web',
  'writable',
  'passthrough',
  'response',
  'socket',
] as const
export const SHAPES = [...WHOLE_SHAPES, ...RANGE_SHAPES] as const
export type Shape = (typeof SHAPES)[number]

/** Reads `found` in `shape` to its end, clean or not. Never rejects. */
export async function read(found: Found, shape: Shape, range?: ByteRange): Promise<Reading> {
  const taken: Uint8Array[] = []
  try {
    await READERS[shape](found, (bytes) => taken.push(Buffer.from(bytes)), range)
    return { bytes: Buffer.concat(taken), error: undefined }
  } catch (error) {
    return { bytes: Buffer.concat(taken), error: error as Error }
  }
}

type Take = (bytes: Uint8Array) => void
type Reader = (found: Found, take: Take, range?: ByteRange) => Promise<void>

const READERS: Readonly<Record<Shape, Reader>> = {
  bytes: async (found, take) => take(await found.bytes()),
  text: async (found, take) => take(Buffer.from(await found.text())),
  iterate: async (found, take) => {
    for await (const piece of found) take(piece)
  },
  stream: async (found, take, range) => {
    for await (const piece of found.stream(range)) take(piece)
  },
  data: (found, take, range) =>
    new Promise((resolve, reject) => {
      let ended = false
      found
        .stream(range)
        .on('data', take)
        .on('end', () => {
          ended = true
        })
        .on('error', reject)
        .on('close', () => (ended ? resolve() : reject(new Error('closed without an end'))))
    }),
  web: async (found, take, range) => {
    const reader = found.web(range).getReader()
    for (let step = await reader.read(); !step.done; step = await reader.read()) take(step.value)
  },
  writable: async (found, take, range) => {
    let finished = false
    const writable = new Writable({
      highWaterMark: 1000,
      write(chunk, _encoding, done) {
        take(chunk)
        setImmediate(done)
      },
      final(done) {
        finished = true
        done()
      },
    })
    await found.writeTo(writable, range)
    if (!finished) throw new Error('resolved before the writable had finished')
  },
  passthrough: async (found, take, range) => {
    const through = new PassThrough()
    // A refusal before the first byte leaves the writable to its owner.
    const written = found.writeTo(through, range).catch((error) => {
      through.destroy(error)
      throw error
    })
    const seen = (async () => {
      for await (const piece of through) take(piece)
    })()
    const [first, second] = await Promise.allSettled([written, seen])
    if (first.status === 'rejected') throw first.reason
    if (second.status === 'rejected') throw second.reason
  },
  response: overHttp,
  socket: overSocket,
}

/** Through a real HTTP response; with a content length where the size is known, as a server would. */
async function overHttp(found: Found, take: Take, range?: ByteRange): Promise<void> {
  let failed: unknown
  const server = createServer((_, res) => {
    if (found.size !== undefined && range === undefined) res.setHeader('content-length', found.size)
    found.writeTo(res, range).catch((error) => {
      failed = error
      res.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await new Promise<void>((resolve, reject) => {
      get({ port: (server.address() as AddressInfo).port, agent: false }, (res) => {
        res
          .on('data', take)
          .on('error', reject)
          .on('close', () => (res.complete ? resolve() : reject(new Error('aborted'))))
      }).on('error', reject)
    })
  } catch (error) {
    // The client only sees that the connection broke; why is what `writeTo` rejected with.
    throw failed ?? error
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

/** Through a plain socket, where a clean end is a FIN and a broken one a reset. */
async function overSocket(found: Found, take: Take, range?: ByteRange): Promise<void> {
  let written: Promise<void> | undefined
  const server = createNetServer((socket) => {
    written = found.writeTo(socket, range)
    written.catch(() => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await new Promise<void>((resolve, reject) => {
      createConnection((server.address() as AddressInfo).port, '127.0.0.1')
        .on('data', take)
        .on('error', reject)
        .on('close', () => resolve())
    }).catch(() => undefined)
    await written
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
