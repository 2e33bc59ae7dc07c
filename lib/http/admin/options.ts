import { ConfigError } from '../../errors.js'
import { type ListenAt, parseListen } from '../listen.js'

/** Where an admin listener is: an address, or the path of a Unix socket. */
export type AdminAt =
  | ({ readonly kind: 'tcp' } & ListenAt)
  | { readonly kind: 'socket'; readonly path: string }

/** What an admin listener runs on. */
export interface AdminConfig {
  readonly at: AdminAt
  /** What a request has to bring along; undefined where nothing is asked for. */
  readonly token: string | undefined
}

/** Has the token where no option says it: command lines and files are read by more people than a process's environment. */
export const TOKEN_VARIABLE = 'DREY_ADMIN_TOKEN'

/** 16 characters that are drawn at random cannot be guessed over a network. */
const LEAST_TOKEN = 16
/** A socket's address holds 107 bytes, and the name under which it is made has 10 more than its own. */
const LONGEST_PATH = 96

/**
 * A port on loopback, `'host:port'`, or the path of a Unix socket: what has a slash in it, or ends in `.sock`.
 *
 * @throws `ERR_DREY_CONFIG` when it is none of them.
 */
export function parseAdmin(given: number | string): AdminAt {
  if (typeof given === 'string' && (given.includes('/') || given.endsWith('.sock'))) {
    const bytes = Buffer.byteLength(given)
    if (bytes > LONGEST_PATH || given.includes('\0')) {
      throw new ConfigError(
        `admin: got a path of ${bytes} bytes; the system takes no socket there: want at most ${LONGEST_PATH}`,
      )
    }
    return { kind: 'socket', path: given }
  }
  return { kind: 'tcp', ...parseListen(given, 'admin') }
}

/** Whether only this machine reaches it. A name counts when it is `localhost`; what others stand for is found out too late. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/**
 * @param option where it was given, for errors; the token itself is in none of them, for they are logged
 * @throws `ERR_DREY_CONFIG` for one that can be guessed, or sent by nobody
 */
export function assertToken(token: string, option: string): void {
  if (token.length >= LEAST_TOKEN && /^[!-~]+$/.test(token)) return
  throw new ConfigError(
    `${option}: got a token of ${token.length} characters; want at least ${LEAST_TOKEN}, of ASCII and without spaces`,
  )
}

/**
 * @param token as given by an option
 * @throws `ERR_DREY_CONFIG` for an address that others reach without a token, and for a token that can be guessed or sent by nobody.
 */
export function readAdmin(
  given: number | string | undefined,
  token: string | undefined = process.env[TOKEN_VARIABLE],
): AdminConfig | undefined {
  if (given === undefined) return undefined
  const at = parseAdmin(given)
  const wanted = token === '' ? undefined : token
  if (wanted !== undefined) assertToken(wanted, 'admin')
  if (wanted === undefined && at.kind === 'tcp' && !isLoopback(at.host)) {
    throw new ConfigError(
      `admin: got ${JSON.stringify(given)}, which others may reach, without a token; set ${TOKEN_VARIABLE} (in a program: adminToken), or want a port on loopback or the path of a Unix socket`,
    )
  }
  return { at, token: wanted }
}
