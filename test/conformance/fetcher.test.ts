import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'vitest'
import { type Fetcher, httpFetcher, notFound, notModified } from '../../lib/index.js'
import { type FetcherRig, fetcherSuite, runSuite } from '../../lib/testing/index.js'
import { patterned } from '../helpers/bodies.js'

describe('httpFetcher', () => {
  async function rig(): Promise<FetcherRig> {
    let value = patterned(200_000)
    const server = createServer((req, res) => {
      const etag = `"${value.length}"`
      if (req.url === '/hanging') return
      if (req.url === '/missing') return void res.writeHead(404).end('no such page')
      if (req.url === '/failing') return void res.writeHead(503).end('sorry')
      if (req.url === '/broken') {
        res.writeHead(200, { 'content-length': 1000 })
        res.write('half')
        return void setImmediate(() => res.destroy())
      }
      if (req.headers['if-none-match'] === etag) return void res.writeHead(304, { etag }).end()
      res.writeHead(200, { etag, 'content-length': value.length, 'content-type': 'text/plain' }).end(value)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const of = (path: string): Fetcher =>
      httpFetcher(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`) as Fetcher
    return {
      present: of('present'),
      value,
      change: () => {
        value = patterned(150_000, 1)
        return value
      },
      missing: of('missing'),
      failing: of('failing'),
      hanging: of('hanging'),
      broken: of('broken'),
      close: async () => {
        server.closeAllConnections()
        server.close()
        await once(server, 'close')
      },
    }
  }
  runSuite(fetcherSuite(rig), test)
})

describe('a fetcher of values that are at hand', () => {
  runSuite(
    fetcherSuite(
      () => {
        let text = 'a value'
        return {
          present: ({ etag }) => (etag === text ? notModified() : { body: text, etag: text }),
          value: Buffer.from('a value'),
          change: () => {
            text = 'another'
            return Buffer.from(text)
          },
          missing: () => notFound(),
          failing: () => {
            throw new Error('no')
          },
        }
      },
      { without: ['hanging', 'broken'] },
    ),
    test,
  )
})
