import type { IncomingMessage } from 'node:http'
import type { Refusal } from '../admin/guard.js'

/** A request as frameworks hand it on. */
export type LoginRequest = IncomingMessage & {
  /** Of Express and Connect, where `url` is what is left of it below the place that it is mounted at. */
  readonly originalUrl?: unknown
  /** Where something has read the body already. */
  readonly body?: unknown
}

const MOST_BODY = 4096
const WRONG: Refusal = { status: 400, message: 'want a form with the field token' }

/** What the form says. */
export async function readToken(req: LoginRequest): Promise<string | Refusal> {
  if (!/^application\/x-www-form-urlencoded *(?:;|$)/i.test(req.headers['content-type'] ?? '')) {
    return { status: 415, message: 'want the header Content-Type: application/x-www-form-urlencoded' }
  }
  if (typeof req.body === 'object' && req.body !== null) {
    const { token } = req.body as { readonly token?: unknown }
    return typeof token === 'string' ? token : WRONG
  }
  const chunks: Buffer[] = []
  let bytes = 0
  // Whoever sends too much is to be told so on the connection that it sends on.
  const arriving: AsyncIterable<Buffer> = req.iterator({ destroyOnReturn: false })
  for await (const chunk of arriving) {
    bytes += chunk.length
    if (bytes > MOST_BODY) {
      return { status: 413, message: `the form is too large; want at most ${MOST_BODY} bytes` }
    }
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8')).get('token') ?? WRONG
}

/** The path that the browser asked for. */
export function publicPath({ originalUrl, url }: LoginRequest): string {
  const [path] = (typeof originalUrl === 'string' ? originalUrl : (url ?? '/')).split('?')
  // It is said back in a header, as an attribute of a cookie: so nothing but what paths are made of.
  return path !== undefined && /^\/[\w\-.~!$&'()*+,=:@%/]*$/.test(path) ? path : '/'
}

/** The same again, as a browser resolves it: never another host, whatever `path` begins with. */
export function relativeTo(path: string): string {
  return `./${path.slice(path.lastIndexOf('/') + 1)}`
}
