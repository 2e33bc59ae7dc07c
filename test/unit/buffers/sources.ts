import { once } from 'node:events'
import { createReadStream, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { setImmediate as turn } from 'node:timers/promises'
import type { CopySource } from '../../../lib/buffers/input.js'
import { createCache } from '../../../lib/index.js'

/** A source of a test, and what it leaves behind. */
export interface TestSource {
  readonly source: CopySource
  /** It was given up before its end. */
  cancelled(): boolean
  close(): Promise<void>
}

/** What a source does after so many pieces, in place of going on. */
export interface Fault {
  readonly after: number
  readonly error: Error
}

type Make = (pieces: readonly Buffer[], folder: string, fault?: Fault) => Promise<TestSource>

const nothing = async (): Promise<void> => undefined
let names = 0

/** Some pieces come at once, others a turn later. */
async function* sent(pieces: readonly Buffer[], fault?: Fault): AsyncGenerator<Buffer> {
  for (const [at, piece] of pieces.entries()) {
    if (at === fault?.after) throw fault.error
    if (at % 3 === 1) await turn()
    yield Buffer.from(piece)
  }
  if (fault !== undefined && fault.after >= pieces.length) throw fault.error
}

function file(pieces: readonly Buffer[], folder: string): string {
  const path = join(folder, `source ${names++}`)
  writeFileSync(path, Buffer.concat(pieces))
  return path
}

const bytes: Make = async (pieces) => ({
  source: Buffer.concat(pieces),
  cancelled: () => true,
  close: nothing,
})

const node: Make = async (pieces, _folder, fault) => {
  const stream = Readable.from(sent(pieces, fault), { objectMode: false })
  return { source: stream, cancelled: () => stream.destroyed, close: nothing }
}

const objects: Make = async (pieces, _folder, fault) => {
  const stream = Readable.from(sent(pieces, fault))
  return { source: stream, cancelled: () => stream.destroyed, close: nothing }
}

const web: Make = async (pieces, _folder, fault) => {
  let cancelled = false
  const from = sent(pieces, fault)
  const source = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await from.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
    cancel: () => {
      cancelled = true
    },
  })
  return { source, cancelled: () => cancelled, close: nothing }
}

/** A stream of bytes that fills what it is given, in parts that are as long as the pieces. */
const byob: Make = async (pieces, _folder, fault) => {
  let cancelled = false
  const from = sent(pieces, fault)
  let rest: Buffer = Buffer.alloc(0)
  const source = new ReadableStream({
    type: 'bytes',
    pull: async (controller) => {
      while (rest.length === 0) {
        const { done, value } = await from.next()
        if (done === true) {
          controller.close()
          controller.byobRequest?.respond(0)
          return
        }
        rest = value
      }
      const { byobRequest } = controller
      if (byobRequest?.view == null) {
        controller.enqueue(new Uint8Array(rest))
        rest = Buffer.alloc(0)
        return
      }
      const { buffer, byteOffset, byteLength } = byobRequest.view
      const count = Math.min(byteLength, rest.length)
      new Uint8Array(buffer as ArrayBuffer, byteOffset, count).set(rest.subarray(0, count))
      rest = rest.subarray(count)
      byobRequest.respond(count)
    },
    cancel: () => {
      cancelled = true
    },
  })
  return { source: source as ReadableStream, cancelled: () => cancelled, close: nothing }
}

const iterable: Make = async (pieces, _folder, fault) => {
  let over = false
  const source = {
    async *[Symbol.asyncIterator]() {
      try {
        yield* sent(pieces, fault)
      } finally {
        over = true
      }
    },
  }
  return { source, cancelled: () => over, close: nothing }
}

const path: Make = async (pieces, folder) => ({
  source: { path: file(pieces, folder) },
  cancelled: () => true,
  close: nothing,
})

const handle: Make = async (pieces, folder) => {
  const source = await open(file(pieces, folder))
  return { source, cancelled: () => true, close: () => source.close() }
}

const readStream: Make = async (pieces, folder) => {
  const source = createReadStream(file(pieces, folder))
  return { source, cancelled: () => source.destroyed, close: nothing }
}

const socket: Make = async (pieces, folder, fault) => {
  const server = createServer((peer) => void pour(peer, pieces, fault).catch(() => peer.destroy()))
  server.listen(join(folder, `source ${names++}`))
  await once(server, 'listening')
  const source = connect(server.address() as string)
  await once(source, 'connect')
  return {
    source,
    cancelled: () => source.destroyed,
    close: async () => {
      source.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

async function pour(peer: Socket, pieces: readonly Buffer[], fault?: Fault): Promise<void> {
  peer.on('error', () => peer.destroy())
  for await (const piece of sent(pieces, fault)) {
    if (peer.destroyed) return
    if (!peer.write(piece)) await Promise.race([once(peer, 'drain'), once(peer, 'close')])
  }
  peer.end()
}

/** An answer of the cache, which is an async iterable. */
const found: Make = async (pieces) => {
  const cache = await createCache()
  await cache.set('key', Buffer.concat(pieces))
  const answer = await cache.get('key')
  if (answer?.status !== 'ok') throw new Error('it was not kept')
  return { source: answer, cancelled: () => true, close: () => cache.close() }
}

export const SOURCES: Readonly<Record<string, Make>> = {
  bytes,
  node,
  objects,
  web,
  byob,
  iterable,
  path,
  handle,
  readStream,
  socket,
  found,
}

/** Those that can fail on their way. */
export const FAILING = ['node', 'objects', 'web', 'byob', 'iterable'] as const
