import { once } from 'node:events'
import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer as createHttp, get } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { WritableStream } from 'node:stream/web'
import { setImmediate as turn } from 'node:timers/promises'
import { connect as connectTls, createServer as createTls } from 'node:tls'
import type { CopySink } from '../../../lib/buffers/output.js'
import { createCache } from '../../../lib/index.js'
import { localhostCertificate } from '../../helpers/certificate.js'
import { until } from '../../helpers/gate.js'

/** A sink of a test, and what came of it. */
export interface TestSink {
  readonly sink: CopySink
  /** What it has in the end; undefined where it did not end as if whole. */
  got(): Promise<Buffer | undefined>
  close(): Promise<void>
}

type Make = (folder: string) => Promise<TestSink>

const nothing = async (): Promise<void> => undefined
let names = 0
const nameIn = (folder: string): string => join(folder, `sink ${names++}`)

/** All that arrives until the end; undefined when it broke off. */
function receive(from: NodeJS.ReadableStream & { destroyed?: boolean }): Promise<Buffer | undefined> {
  const pieces: Buffer[] = []
  return new Promise((resolve) => {
    from.on('data', (piece: Buffer) => pieces.push(piece))
    from.on('end', () => resolve(Buffer.concat(pieces)))
    from.on('error', () => resolve(undefined))
    from.on('close', () => resolve(undefined))
  })
}

const socket: Make = async () => {
  const server = createServer({ allowHalfOpen: true })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const sink = connect(port, '127.0.0.1')
  const [peer] = (await once(server, 'connection')) as [Socket]
  const got = receive(peer)
  if (sink.connecting) await once(sink, 'connect')
  return {
    sink,
    got: () => got,
    close: async () => {
      sink.destroy()
      peer.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Written to before the handshake is done. */
const tls: Make = async () => {
  const server = createTls(localhostCertificate)
  const raw: Socket[] = []
  server.on('connection', (one: Socket) => raw.push(one))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  let peer: Socket | undefined
  const got = once(server, 'secureConnection').then(([it]) => {
    peer = it as Socket
    return receive(peer)
  })
  const sink = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  return {
    sink,
    got: () => got,
    close: async () => {
      sink.destroy()
      peer?.destroy()
      // One whose handshake was broken off would wait for its time to be over.
      for (const one of raw) one.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const response: Make = async () => {
  const server = createHttp()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const request = get({ port, host: '127.0.0.1', agent: false })
  const got = new Promise<Buffer | undefined>((resolve) => {
    request.on('error', () => resolve(undefined))
    request.on('response', (answer) => receive(answer).then(resolve))
  })
  const [, sink] = await once(server, 'request')
  return {
    sink,
    got: () => got,
    close: async () => {
      request.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const path: Make = async (folder) => {
  const at = nameIn(folder)
  return {
    sink: { path: at },
    got: async () => (existsSync(at) ? readFileSync(at) : undefined),
    close: nothing,
  }
}

const handle: Make = async (folder) => {
  const at = nameIn(folder)
  const sink = await open(at, 'w')
  // Whether it is whole is known to who has the handle alone.
  return { sink, got: async () => readFileSync(at), close: () => sink.close() }
}

const writeStream: Make = async (folder) => {
  const at = nameIn(folder)
  const sink = createWriteStream(at)
  return {
    sink,
    got: async () => (sink.writableFinished ? readFileSync(at) : undefined),
    close: async () => {
      sink.destroy()
      await until(() => sink.closed, 'the file is closed')
    },
  }
}

/** Looks at what it got by reference only after the copy has ended. */
const keeping: Make = async () => {
  const kept: Buffer[] = []
  const sink = new Writable({
    highWaterMark: 1000,
    write(chunk, _encoding, done) {
      kept.push(chunk)
      setImmediate(done)
    },
  })
  return {
    sink,
    got: async () => (sink.writableFinished ? Buffer.concat(kept) : undefined),
    close: nothing,
  }
}

/** Read when everything has been over for some turns. */
const passThrough: Make = async () => {
  const sink = new PassThrough({ highWaterMark: 2 ** 30 })
  return {
    sink,
    got: async () => {
      for (let i = 0; i < 5; i += 1) await turn()
      return sink.writableFinished ? receive(sink) : undefined
    },
    close: nothing,
  }
}

const web: Make = async () => {
  const kept: Uint8Array[] = []
  let closed = false
  const sink = new WritableStream<Uint8Array>({
    write: async (chunk) => {
      kept.push(chunk)
      if (kept.length % 4 === 0) await turn()
    },
    close: () => {
      closed = true
    },
  })
  return { sink, got: async () => (closed ? Buffer.concat(kept) : undefined), close: nothing }
}

const cacheWriter: Make = async () => {
  const cache = await createCache()
  const sink = cache.writer('key')
  return {
    sink,
    got: async () => {
      const found = await cache.get('key')
      return found?.status === 'ok' ? found.bytes() : undefined
    },
    close: () => cache.close(),
  }
}

/** Of a bare connection the other side may not learn whether it was ended in order: not over TLS from Node, and not from every kernel. */
export const MUTE = ['socket', 'tls']

export const SINKS: Readonly<Record<string, Make>> = {
  socket,
  tls,
  response,
  path,
  handle,
  writeStream,
  keeping,
  passThrough,
  web,
  cacheWriter,
}
