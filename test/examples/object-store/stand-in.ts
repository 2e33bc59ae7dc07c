import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import type { Bucket, Condition } from './bucket.js'

/*
 * A bucket for tests, as far away as a real one: answers come later, calls fail before or after they were carried out, and a put can be
 * under way while others overtake it.
 */

export type BucketCall = 'get' | 'put' | 'remove' | 'list'

/** How a call goes wrong: it never arrived, or its answer was lost. */
export type Fault = 'before' | 'after'

export interface StandIn extends Bucket {
  readonly objects: Map<string, { readonly bytes: Uint8Array; readonly etag: string }>
  readonly calls: BucketCall[]
  /** Says how a call goes wrong, if it does. */
  fault: ((call: BucketCall, name: string) => Fault | undefined) | undefined
  /** The next put of a head is not answered, and carried out only when the function that is returned is called; that says whether it changed anything. */
  delayNextPut(): () => Promise<boolean>
}

export function standInBucket(): StandIn {
  const objects: StandIn['objects'] = new Map()
  const calls: BucketCall[] = []
  let puts = 0
  let delayed: ((put: () => boolean) => void) | undefined
  const arrive = async <T>(call: BucketCall, name: string, carryOut: () => T): Promise<T> => {
    calls.push(call)
    await turn()
    const fault = bucket.fault?.(call, name)
    if (fault === 'before') throw new Error(`injected: ${call} ${name} did not arrive`)
    const answer = carryOut()
    if (fault === 'after') throw new Error(`injected: the answer to ${call} ${name} was lost`)
    return answer
  }
  const put = (name: string, bytes: Uint8Array, condition: Condition | undefined): string | undefined => {
    const there = objects.get(name)
    if (condition !== undefined) {
      if ('ifMatch' in condition ? there?.etag !== condition.ifMatch : there !== undefined) return undefined
    }
    puts += 1
    const etag = `"${puts}-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}"`
    objects.set(name, { bytes, etag })
    return etag
  }
  const bucket: StandIn = {
    objects,
    calls,
    fault: undefined,
    delayNextPut: () => {
      let carryOut: (() => boolean) | undefined
      delayed = (late) => {
        carryOut = late
      }
      return async () => {
        await turn()
        if (carryOut === undefined) throw new Error('no put was delayed')
        return carryOut()
      }
    },
    get: (name, range) =>
      arrive('get', name, () => {
        const there = objects.get(name)
        if (there === undefined || range === undefined)
          return there && { ...there, bytes: Uint8Array.from(there.bytes) }
        return { bytes: there.bytes.slice(range.from, range.from + range.length), etag: there.etag }
      }),
    put: (name, bytes, condition) => {
      const copy = Uint8Array.from(bytes)
      if (delayed !== undefined && name.startsWith('h/')) {
        delayed(() => put(name, copy, condition) !== undefined)
        delayed = undefined
        calls.push('put')
        return turn().then(() => Promise.reject(new Error(`injected: put ${name} is under way for too long`)))
      }
      return arrive('put', name, () => put(name, copy, condition))
    },
    remove: (name) => arrive('remove', name, () => void objects.delete(name)),
    list: (prefix) =>
      arrive('list', prefix, () =>
        [...objects]
          .filter(([name]) => name.startsWith(prefix))
          .map(([name, { bytes }]) => ({ name, size: bytes.length })),
      ),
  }
  return bucket
}

/** Serves `bucket` as `httpBucket` asks for it. */
export async function serveBucket(bucket: Bucket): Promise<{ readonly url: string; close(): Promise<void> }> {
  const answer = async (
    req: IncomingMessage,
  ): Promise<[number, Record<string, string>, Uint8Array | string]> => {
    const url = new URL(req.url ?? '/', 'http://bucket')
    const prefix = url.searchParams.get('prefix')
    if (prefix !== null) return [200, {}, JSON.stringify(await bucket.list(prefix))]
    const name = url.pathname.slice(1)
    if (req.method === 'DELETE') {
      await bucket.remove(name)
      return [204, {}, '']
    }
    if (req.method === 'PUT') {
      const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = req.headers
      const condition: Condition | undefined =
        ifMatch !== undefined ? { ifMatch } : ifNoneMatch === '*' ? { ifNoneMatch } : undefined
      const etag = await bucket.put(name, await buffer(req), condition)
      return etag === undefined ? [412, {}, ''] : [200, { etag }, '']
    }
    const [from, to] =
      /^bytes=(\d+)-(\d+)$/
        .exec(req.headers.range ?? '')
        ?.slice(1)
        .map(Number) ?? []
    const range = from === undefined ? undefined : { from, length: to! - from + 1 }
    const got = await bucket.get(name, range)
    return got === undefined
      ? [404, {}, '']
      : [range === undefined ? 200 : 206, { etag: got.etag }, got.bytes]
  }
  const server = createServer((req, res) => {
    answer(req).then(
      ([status, headers, body]) => res.writeHead(status, headers).end(body),
      () => res.writeHead(503).end(),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
