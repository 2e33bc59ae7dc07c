import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { messageOf } from '../errors.js'
import { parseAdmin, TOKEN_VARIABLE } from '../http/admin/options.js'
import { CommandError, UsageError } from './usage.js'

/** A running proxy, asked at its admin listener. */
export interface AdminClient {
  /** Where it is, as it was given. */
  readonly name: string
  /** What `path` answers, of JSON. @throws `CommandError` when nobody answers, or it refuses */
  get(path: string): Promise<unknown>
  /** The same of what is sent there. Waits for as long as it takes. */
  post(path: string, body: unknown): Promise<unknown>
}

/** Longest silence, in ms, of what is answered at once. */
const PATIENCE_MS = 10_000
const MOST_ANSWER = 64 * 2 ** 20

export const ADMIN_WHAT = `ADMIN is what drey proxy --admin was given: a port, HOST:PORT, http://HOST:PORT or the path of a socket. A token is taken from
${TOKEN_VARIABLE}.`

/** @throws `UsageError` for what names no listener */
export function adminClient(
  command: string,
  given: string | undefined,
  token = process.env[TOKEN_VARIABLE],
): AdminClient {
  if (given === undefined) {
    throw new UsageError(
      `${command} wants ADMIN, such as 9000 or /run/drey.sock: what drey proxy --admin has`,
    )
  }
  const at = placeOf(command, given)
  const send = async (method: string, path: string, body?: string): Promise<unknown> => {
    const { status, text } = await exchange(
      given,
      {
        ...(at.kind === 'socket' ? { socketPath: at.path } : { host: at.host, port: at.port }),
        method,
        path,
        agent: false,
        ...(method === 'GET' ? { timeout: PATIENCE_MS } : {}),
        headers: {
          ...(at.kind === 'socket' ? { host: 'localhost' } : {}),
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
        },
      },
      body,
    )
    return answerOf(given, status, text)
  }
  return {
    name: given,
    get: (path) => send('GET', path),
    post: (path, body) => send('POST', path, JSON.stringify(body)),
  }
}

function placeOf(command: string, given: string): ReturnType<typeof parseAdmin> {
  if (/^https:/i.test(given))
    throw new UsageError(`${command}: got ${given}; an admin listener speaks http alone`)
  const [, authority] = /^http:\/\/([^/]+)\/?$/i.exec(given) ?? []
  try {
    return parseAdmin(authority ?? given)
  } catch (error) {
    throw new UsageError(messageOf(error).replace(/^admin:/, `${command}:`), { cause: error })
  }
}

function exchange(
  name: string,
  options: RequestOptions,
  body: string | undefined,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(unreachable(name, error))
    let asked: ClientRequest
    try {
      asked = request(options)
    } catch (error) {
      // Such as a token that no header can hold.
      return fail(error as Error)
    }
    asked.on('error', fail)
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${PATIENCE_MS / 1000} s`)))
    asked.on('response', (res: IncomingMessage) => {
      const chunks: Buffer[] = []
      let bytes = 0
      res.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MOST_ANSWER) res.destroy(new Error('it answers more than anyone would'))
        chunks.push(chunk)
      })
      res.on('error', fail)
      res.on('end', () => resolve({ status: res.statusCode!, text: Buffer.concat(chunks).toString('utf8') }))
    })
    asked.end(body)
  })
}

function unreachable(name: string, error: NodeJS.ErrnoException): CommandError {
  const nobody = error.code === 'ECONNREFUSED' || error.code === 'ENOENT'
  const why = nobody ? `nobody listens there (is drey proxy running with --admin ${name}?)` : messageOf(error)
  return new CommandError(`cannot ask ${name}: ${why}`, { cause: error })
}

function answerOf(name: string, status: number, text: string): unknown {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch (error) {
    throw new CommandError(
      `${name} answers with status ${status} and no JSON: it is no admin listener of drey`,
      {
        cause: error,
      },
    )
  }
  if (status === 200) return answer
  if (status === 401) throw new CommandError(`${name} wants a token; set ${TOKEN_VARIABLE} to what it has`)
  const said = (answer as { readonly error?: unknown } | null)?.error
  throw new CommandError(`${name} refuses: ${typeof said === 'string' ? said : `status ${status}`}`)
}
