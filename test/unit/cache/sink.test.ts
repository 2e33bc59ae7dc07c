import { createServer, IncomingMessage, type Server, ServerResponse } from 'node:http'
import { type AddressInfo, createConnection, Socket } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import { mayBeLent } from '../../../lib/buffers/lending.js'
import type { Found } from '../../../lib/index.js'
import { patterned, pour } from '../../helpers/bodies.js'
import { turns, until } from '../../helpers/gate.js'
import { found, overStores, rig, upToDate } from '../../helpers/rig.js'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

/** A raw client of an HTTP server that answers each request by `handle`; paused until it is read. */
async function request(handle: (res: ServerResponse) => void, times = 1): Promise<Socket> {
  const server = createServer((_, res) => handle(res))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = createConnection((server.address() as AddressInfo).port, '127.0.0.1')
  client.on('error', () => undefined)
  client.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(times))
  return client
}

describe('memory is lent', () => {
  it('to sockets and HTTP responses as Node made them', () => {
    const response = new ServerResponse(new IncomingMessage(new Socket()))
    expect([mayBeLent(new Socket()), mayBeLent(response)]).toEqual([true, true])
  })

  it('to nothing else, nor to a response whose methods a middleware replaced', () => {
    expect([mayBeLent(new PassThrough()), mayBeLent(new Writable())]).toEqual([false, false])
    for (const method of ['write', 'end'] as const) {
      const wrapped = new ServerResponse(new IncomingMessage(new Socket()))
      const own = wrapped[method] as (chunk: unknown) => never
      wrapped[method] = (chunk: unknown) => own.call(wrapped, chunk)
      expect(mayBeLent(wrapped), method).toBe(false)
    }
    class Recording extends ServerResponse {
      override write(): boolean {
        return true
      }
    }
    expect(mayBeLent(new Recording(new IncomingMessage(new Socket())))).toBe(false)
  })
})

overStores((kind) => {
  async function large(size = 8_000_000) {
    const made = await rig(kind)
    await made.cache.set('k', patterned(size))
    return { ...made, body: found(await made.cache.get('k')) }
  }

  it.each([100, 8_000_000])(
    'a response that is destroyed while %i bytes wait gives back all',
    async (size) => {
      const { cache, body } = await large(size)
      let written: Promise<void> | undefined
      let response!: ServerResponse
      const client = await request((res) => {
        response = res
        written = body.writeTo(res)
        written.catch(() => undefined)
      })
      await until(() => written !== undefined, 'the request is there')
      await turns(20)
      response.destroy()
      if (size > 65_536) await expect(written).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
      client.destroy()
      await until(() => cache.stats().tiers[0]!.pinnedBytes === 0, 'nothing is pinned')
      expect(cache.stats().openBodies).toBe(0)
    },
  )

  it('a client that leaves in the middle gives back all', async () => {
    const { cache, body } = await large()
    let written: Promise<void> | undefined
    const client = await request((res) => {
      written = body.writeTo(res)
      written.catch(() => undefined)
    })
    client.once('data', () => client.destroy())
    await until(() => written !== undefined, 'the request is there')
    await expect(written).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
    await until(() => cache.stats().tiers[0]!.pinnedBytes === 0, 'nothing is pinned')
  })

  it('a response that waits for its turn on a connection that is gone is found, by the idle watch at the latest', async () => {
    // Before version 26 Node tells such a response nothing: neither `close` nor the callbacks of its writes ever come.
    const { cache, clock, body } = await large()
    const responses: ServerResponse[] = []
    const client = await request((res) => void responses.push(res), 2)
    await until(() => responses.length === 2, 'both requests are there')
    let told = false
    responses[1]!.once('close', () => {
      told = true
    })
    const written = body.writeTo(responses[1]!)
    written.catch(() => undefined)
    await turns(5)
    responses[1]!.destroy()
    client.destroy()
    await turns(20)
    clock.advance(40_000)
    await expect(written).rejects.toMatchObject({ code: told ? 'ERR_DREY_ABORTED' : 'ERR_DREY_TIMEOUT' })
    await upToDate({ cache })
    expect(cache.stats().openBodies).toBe(0)
    expect(cache.stats().tiers[0]!.pinnedBytes).toBe(0)
  })

  it("the caller's signal ends a writing that the client holds up", async () => {
    const made = await rig(kind)
    await made.cache.set('k', patterned(8_000_000))
    const caller = new AbortController()
    const body = found(await made.cache.get('k', { signal: caller.signal }))
    let written: Promise<void> | undefined
    let response!: ServerResponse
    const client = await request((res) => {
      response = res
      written = body.writeTo(res)
      written.catch(() => undefined)
    })
    client.pause()
    await until(() => written !== undefined, 'the request is there')
    await turns(50)
    caller.abort()
    await expect(written).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED', name: 'AbortError' })
    expect(response.destroyed).toBe(true)
    client.destroy()
  })

  it.each([10, 200_000])(
    'rejects for %i bytes where the writable is closed, or no writable',
    async (size) => {
      const made = await rig(kind)
      await made.cache.set('k', patterned(size))
      const body = async (): Promise<Found> => found(await made.cache.get('k'))
      const destroyed = new PassThrough()
      destroyed.destroy()
      const ended = new PassThrough()
      ended.on('error', () => undefined).end()
      const response = new ServerResponse(new IncomingMessage(new Socket()))
      response.destroy()
      for (const writable of [destroyed, ended, response]) {
        await expect((await body()).writeTo(writable)).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED' })
      }
      for (const wrong of [undefined, null, 1, {}]) {
        await expect((await body()).writeTo(wrong as never)).rejects.toMatchObject({
          code: 'ERR_DREY_CONFIG',
        })
      }
      made.clock.advance(60_000)
      expect(made.cache.stats().openBodies).toBe(0)
    },
  )

  it.each([10, 200_000])(
    'rejects for %i bytes with the error of a writable that fails, early or late',
    async (size) => {
      const made = await rig(kind)
      await made.cache.set('k', patterned(size))
      const boom = new Error('disk full')
      const failing = [
        () => new Writable({ write: (_chunk, _encoding, done) => done(boom) }),
        () => new Writable({ write: (_chunk, _encoding, done) => void setImmediate(done, boom) }),
        () => new Writable({ write: (_chunk, _encoding, done) => done(), final: (done) => done(boom) }),
        () => new Writable({ construct: (done) => void setImmediate(done, boom) }),
      ]
      for (const writable of failing) {
        const body = found(await made.cache.get('k'))
        await expect(body.writeTo(writable())).rejects.toBe(boom)
      }
      const failed = new PassThrough().on('error', () => undefined).destroy(boom)
      await turns()
      const late = found(await made.cache.get('k')).writeTo(failed)
      await expect(late).rejects.toMatchObject({ code: 'ERR_DREY_ABORTED', cause: boom })
      const throwing = new PassThrough()
      throwing.write = () => {
        throw boom
      }
      await expect(found(await made.cache.get('k')).writeTo(throwing)).rejects.toBe(boom)
      expect([throwing.destroyed, made.cache.stats().openBodies]).toEqual([true, 0])
    },
  )

  it('destroys the writable when the origin breaks off while it waits', async () => {
    const made = await rig(kind)
    const origin = pour('web')
    const sink = new PassThrough()
    const written = found(await made.cache.fetch('k', () => ({ body: origin.body }))).writeTo(sink)
    sink.resume()
    origin.push(patterned(1000))
    await turns()
    origin.fail(new Error('reset'))
    await expect(written).rejects.toMatchObject({ code: 'ERR_DREY_TRUNCATED' })
    expect(sink.destroyed).toBe(true)
  })

  it('works where a middleware swallows callbacks, and gives it memory of its own', async () => {
    const made = await rig(kind)
    await made.cache.set('k', patterned(200_000))
    const body = found(await made.cache.get('k'))
    const client = await request((res) => {
      const write = res.write as (chunk: Uint8Array) => boolean
      const { socket } = res
      // As compression middleware does: chunks go somewhere else, and callbacks nowhere.
      res.write = ((chunk: Uint8Array) => {
        const sent = write.call(res, Buffer.from(chunk))
        chunk.fill(0)
        return sent
      }) as never
      void body.writeTo(res).then(() => socket?.end())
    })
    const taken: Buffer[] = []
    for await (const piece of client) taken.push(piece)
    expect(Buffer.concat(taken).length).toBeGreaterThan(200_000)
    expect(patterned(200_000).equals(await found(await made.cache.get('k')).bytes())).toBe(true)
  })
})
