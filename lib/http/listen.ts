import { isIPv6 } from 'node:net'
import { ConfigError } from '../errors.js'

/** Where a server listens. */
export interface ListenAt {
  readonly host: string
  readonly port: number
}

/** Unless told otherwise, only this machine may ask. */
const LOOPBACK = '127.0.0.1'

const HOST_PORT = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d+)$/

/**
 * A port on loopback, or `'host:port'`; an IPv6 address stands in brackets.
 *
 * @param option what it is the value of, for errors
 *
 * @throws `ERR_DREY_CONFIG` when it is neither.
 */
export function parseListen(given: number | string, option = 'listen'): ListenAt {
  const text = String(given).trim()
  if (/^\d+$/.test(text)) return { host: LOOPBACK, port: portOf(text, given, option) }
  const match = HOST_PORT.exec(text)
  if (match === null || (match[1] !== undefined && !isIPv6(match[1]))) throw wrong(given, option)
  const host = match[1] ?? match[2]!
  // ':8080' would mean "everywhere" to some tools; here that must be said.
  return { host: host === '' ? LOOPBACK : host, port: portOf(match[3]!, given, option) }
}

function portOf(text: string, given: number | string, option: string): number {
  const port = Number(text)
  if (port > 65_535) throw wrong(given, option)
  return port
}

function wrong(given: number | string, option: string): ConfigError {
  return new ConfigError(
    `${option}: got ${JSON.stringify(given)}; want a port from 0 to 65535, or 'host:port' such as '0.0.0.0:8080' or '[::1]:8080'`,
  )
}

/** An address as it stands in a URL. */
export function showAddress(at: ListenAt): string {
  return `http://${isIPv6(at.host) ? `[${at.host}]` : at.host}:${at.port}`
}
