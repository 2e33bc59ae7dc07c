/*
 * What the store needs of a bucket, and a bucket behind HTTP. Every object store has these four calls, with conditions on `put`; a client of your
 * own (of S3, say, where `IfMatch` and `IfNoneMatch` are options of PutObject) takes the place of `httpBucket`.
 */

/** An object as it was got. `etag` changes with every put. */
export interface Got {
  readonly bytes: Uint8Array
  readonly etag: string
}

/** That the object has this etag, or that there is none. */
export type Condition = { readonly ifMatch: string } | { readonly ifNoneMatch: '*' }

/** Far away: every call takes long, and any may fail, also after it was carried out. */
export interface Bucket {
  /** All of the object, or `length` bytes from `from` on; undefined when there is none. */
  get(name: string, range?: { readonly from: number; readonly length: number }): Promise<Got | undefined>
  /** Puts the object and gives its etag; undefined when the condition does not hold, and then nothing was changed. */
  put(name: string, bytes: Uint8Array, condition?: Condition): Promise<string | undefined>
  /** Removes the object, if there is one. */
  remove(name: string): Promise<void>
  /** The objects whose names begin so. */
  list(prefix: string): Promise<ReadonlyArray<{ readonly name: string; readonly size: number }>>
}

/**
 * @param base where the objects lie: `PUT base/name`, and `GET base/?prefix=` for a list
 * @param timeout how long one call may take, in milliseconds
 */
export function httpBucket(base: string, timeout = 2000): Bucket {
  const ask = (name: string, init: RequestInit = {}): Promise<Response> =>
    fetch(new URL(name, base), { ...init, signal: AbortSignal.timeout(timeout) })
  const failed = (what: string, { status }: Response): Error =>
    new Error(`the bucket says ${status} to ${what}`)
  return {
    get: async (name, range) => {
      const headers: Record<string, string> =
        range === undefined ? {} : { range: `bytes=${range.from}-${range.from + range.length - 1}` }
      const response = await ask(name, { headers })
      const bytes = new Uint8Array(await response.arrayBuffer())
      if (response.status === 404) return undefined
      if (!response.ok) throw failed(`GET ${name}`, response)
      return { bytes, etag: response.headers.get('etag') ?? '' }
    },
    put: async (name, bytes, condition) => {
      const headers: Record<string, string> = {}
      if (condition !== undefined && 'ifMatch' in condition) headers['if-match'] = condition.ifMatch
      if (condition !== undefined && 'ifNoneMatch' in condition) headers['if-none-match'] = '*'
      const response = await ask(name, { method: 'PUT', headers, body: bytes as Uint8Array<ArrayBuffer> })
      await response.arrayBuffer()
      // 412: the condition does not hold. 409: somebody else puts it just now.
      if (response.status === 412 || response.status === 409) return undefined
      if (!response.ok) throw failed(`PUT ${name}`, response)
      return response.headers.get('etag') ?? ''
    },
    remove: async (name) => {
      const response = await ask(name, { method: 'DELETE' })
      await response.arrayBuffer()
      if (!response.ok && response.status !== 404) throw failed(`DELETE ${name}`, response)
    },
    list: async (prefix) => {
      const response = await ask(`?prefix=${encodeURIComponent(prefix)}`)
      if (!response.ok) throw failed('the list', response)
      return (await response.json()) as Array<{ name: string; size: number }>
    },
  }
}
