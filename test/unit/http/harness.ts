import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { ProxyOptions } from '../../../lib/http/options.js'
import { type CachingProxy, createProxyWith } from '../../../lib/http/proxy.js'
import { bufferPool, misuseOf } from '../../helpers/buffer-pool.js'
import { FakeClock } from '../../helpers/clock.js'
import { type FakeOrigin, fakeOrigin } from '../../helpers/origin.js'

/** An origin, a proxy before it, and a clock that stands still. */
export interface Bed extends AsyncDisposable {
  readonly origin: FakeOrigin
  readonly proxy: CachingProxy
  readonly clock: FakeClock
  readonly port: number
  get(path: string, headers?: Headers, more?: Partial<Asking>): Promise<Reply>
}

type Headers = Readonly<Record<string, string | readonly string[]>>

export interface Asking {
  readonly method: string
  readonly headers: Headers
  readonly body: string | Buffer
  readonly signal: AbortSignal
}

export interface Reply {
  readonly status: number
  /** As they came: name, value, name, value. */
  readonly raw: readonly string[]
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: Buffer
  readonly text: string
  /** `Cache-Status` without the name of the cache. */
  readonly cache: string
  /** The body came to its proper end. */
  readonly complete: boolean
}

export async function bed(options: Partial<ProxyOptions> = {}): Promise<Bed> {
  const origin = await fakeOrigin()
  const clock = new FakeClock()
  const proxy = await createProxyWith({ origin: origin.url, bufferPool, ...options }, { clock })
  await proxy.listen()
  const port = Number(new URL(proxy.address!).port)
  return {
    origin,
    proxy,
    clock,
    port,
    get: (path, headers = {}, more = {}) => ask(port, path, { headers, ...more }),
    async [Symbol.asyncDispose]() {
      proxy.server.closeAllConnections()
      await proxy.close()
      await origin.stop()
      const misuse = Object.entries(misuseOf(proxy.cache.stats().pool)).filter(([, count]) => count > 0)
      if (misuse.length > 0) throw new Error(`left of the pool: ${misuse.join(', ')}`)
    },
  }
}

/** One request on a connection of its own. A body that breaks off resolves, with `complete` false; no head rejects. */
export function ask(port: number, path: string, asking: Partial<Asking> = {}): Promise<Reply> {
  const { method = 'GET', headers = {}, body, signal } = asking
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers: mutable(headers),
        agent: false,
        ...(signal ? { signal } : {}),
      },
      (res) => {
        const chunks: Buffer[] = []
        res.on('data', (chunk: Buffer) => chunks.push(chunk))
        // A body that is cut is seen below, as an incomplete one.
        res.on('error', () => undefined)
        res.on('close', () => {
          const whole = Buffer.concat(chunks)
          resolve({
            status: res.statusCode!,
            raw: res.rawHeaders,
            headers: res.headers,
            body: whole,
            text: whole.toString('latin1'),
            cache: String(res.headers['cache-status'] ?? '').replace(/^drey; /, ''),
            complete: res.complete,
          })
        })
      },
    )
    req.on('error', reject)
    req.end(body)
  })
}

function mutable(headers: Headers): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  )
}

/** A raw connection: writes what it is given, and gathers what comes. */
export interface Raw {
  readonly socket: Socket
  /** All that has come so far, as latin1. */
  readonly text: string
  /** Resolves when what has come matches. */
  until(pattern: RegExp): Promise<string>
  /** Resolves when the peer has closed: how, and all that came. */
  readonly closed: Promise<{ readonly text: string; readonly reset: boolean }>
}

export function raw(port: number, bytes: string): Raw {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  let reset = false
  const waiting = new Set<() => void>()
  const closed = new Promise<{ text: string; reset: boolean }>((resolve) => {
    socket.on('close', () => {
      for (const check of waiting) check()
      resolve({ text, reset })
    })
  })
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    text += chunk
    for (const check of waiting) check()
  })
  socket.on('error', () => {
    reset = true
  })
  socket.write(bytes, 'latin1')
  return {
    socket,
    closed,
    get text() {
      return text
    },
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (pattern.test(text)) resolve(text)
          else if (socket.closed) reject(new Error(`closed before ${pattern}: ${JSON.stringify(text)}`))
          else return
          waiting.delete(check)
        }
        waiting.add(check)
        check()
      }),
  }
}

/** Header values by lower-case name, in the order of the wire. */
export function valuesOf(list: readonly string[], name: string): string[] {
  return list.filter((_, i) => i % 2 === 1 && list[i - 1]!.toLowerCase() === name)
}
