import { execFileSync } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect as connect2, createServer as createServer2, type Http2Server } from 'node:http2'
import { type AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { Duplex, PassThrough, Readable, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { lendingOf } from '../../../lib/buffers/lending.js'
import { patterned } from '../../helpers/bodies.js'
import { folder, KiB, newPool } from './copy-harness.js'
import { ToldPressure } from './rig.js'

/*
 * Sinks that look like others and are not.
 */

const BODY = patterned(700 * KiB)

function file(name: string): string {
  const path = join(folder, name)
  writeFileSync(path, BODY)
  return path
}

/** One end of a connection that hands what it is given to the other end, by reference. */
class End extends Duplex {
  other: End | undefined

  override _read(): void {
    // It is pushed.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.other!.push(chunk)
    done()
  }

  override _final(done: () => void): void {
    this.other!.push(null)
    done()
  }
}

function ends(): [End, End] {
  const pair: [End, End] = [new End(), new End({ readableHighWaterMark: 2 ** 24 })]
  pair[0].other = pair[1]
  pair[1].other = pair[0]
  return pair
}

test('an HTTP response over a connection that is no socket is not lent memory (B8)', async () => {
  const pool = newPool()
  const path = file('over duplex')
  const [far, near] = ends()
  const copied = new Promise<unknown>((resolve, reject) => {
    const server = createServer((_, res) => {
      pool.copy({ path }, res).then(resolve, reject)
    })
    server.emit('connection', far)
  })
  near.write('GET / HTTP/1.0\r\n\r\n')
  expect(await copied).toMatchObject({ strategy: 'direct' })
  // Read only now, when a pooled chunk would have something else in it.
  const pieces: Buffer[] = []
  for await (const piece of near) pieces.push(piece)
  const got = Buffer.concat(pieces)
  expect(got.subarray(got.indexOf('\r\n\r\n') + 4).equals(BODY)).toBe(true)
})

test('nor are sockets that write or end in a way of their own, as the output of the process does', () => {
  expect(lendingOf(new Socket())).toBe('lent')
  for (const method of ['_write', '_writev', '_destroy'] as const) {
    const socket = new Socket()
    const own = socket[method] as (...all: unknown[]) => void
    Object.assign(socket, { [method]: (...all: unknown[]) => own.apply(socket, all) })
    expect(lendingOf(socket), method).toBe('own')
  }
})

test('a pipe at a path is written as it is, and stays, also when its reader has gone', async () => {
  const pool = newPool()
  const source = file('to pipe')
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const { mode } = statSync(path)
  const read = readFile(path)
  await pool.copy({ path: source }, { path })
  expect((await read).equals(BODY)).toBe(true)
  const reader = await open(path, 'r+')
  const leaving = new AbortController()
  const copy = pool.copy({ path: source }, { path }, { signal: leaving.signal })
  leaving.abort()
  await expect(copy).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
  await reader.close()
  expect([existsSync(path), statSync(path).mode]).toEqual([true, mode])
})

test('one that has no destroy and fails, fails its copy, and no more', async () => {
  class Bare extends EventEmitter {
    write(): boolean {
      throw new Error('full')
    }

    end(): void {
      this.emit('finish')
    }
  }
  const sink = (): Writable => new Bare() as unknown as Writable
  const pool = newPool()
  await expect(pool.copy('hello', sink())).rejects.toThrow('full')
  const tee = pool.tee('hello', sink())
  let read = ''
  for await (const piece of tee) read += piece
  expect([read, (await tee.written).status]).toEqual(['hello', 'failed'])
})

test('one that throws when it is destroyed does not hide what its source failed with', async () => {
  const pool = newPool()
  const sink = new PassThrough()
  sink.destroy = () => {
    throw new Error('destroy')
  }
  const source = new Readable({ read: () => undefined })
  const copy = pool.copy(source, sink)
  source.destroy(new Error('source'))
  await expect(copy).rejects.toThrow('source')
})

test('so does a source that throws when it is destroyed', async () => {
  const pool = newPool()
  const source = Object.assign(
    new Readable({
      read() {
        this.push('x')
      },
    }),
    {
      destroy: () => {
        throw new Error('destroy')
      },
    },
  )
  const sink = new Writable({ write: (_chunk, _encoding, done) => done(new Error('full')) })
  await expect(pool.copy(source, sink)).rejects.toThrow('full')
})

test('an HTTP/2 response whose client has gone while bytes wait fails its copy', async () => {
  const pool = newPool()
  const path = file('to http2')
  let server!: Http2Server
  const copied = new Promise<unknown>((resolve) => {
    server = createServer2((_, res) => {
      pool.copy({ path }, res).then(resolve, resolve)
    })
  })
  server.on('session', (session) => session.on('error', () => undefined))
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const client = connect2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  client.on('error', () => undefined)
  const request = client.request({ ':path': '/' })
  request.on('error', () => undefined)
  request.once('data', () => {
    request.destroy()
    client.destroy()
  })
  expect(await copied).toMatchObject({ code: 'ERR_DREY_ABORTED' })
  await new Promise((resolve) => server.close(resolve))
})

test('large copies go by a pressure that was there before the pool was used', async () => {
  const pressure = new ToldPressure()
  for (const factor of [0.5, 0.2]) {
    pressure.tell(factor)
    const pool = newPool({ maxConcurrentLargeOps: 10 }, { pressure })
    await pool.copy({ path: file('under pressure') }, new PassThrough().resume())
    expect(pool.stats().copies.large).toMatchObject({ factor, limit: 10 * factor })
    await pool.close()
    expect(pressure.listeners.size).toBe(0)
  }
})
