import type { Fields } from './headers.js'

/*
 * Request targets, RFC 9112 §3.2, and the keys made of them.
 *
 * The host is part of the key, as it is part of the target URI (RFC 9111 §2), also where the origin is asked under
 * its own name: it is told to the origin in `X-Forwarded-Host`, and what a stranger can tell an origin must not
 * shape the answer that others get.
 */

export interface Target {
  /** Path and query as the origin is asked. */
  readonly path: string
  /** Lower-case host, with its port if one was given; '' if there was none. */
  readonly host: string
}

const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/is

// A registered name, an IPv4 address or an IPv6 address in brackets, and a port: nothing that could end a URL's authority.
const HOST = /^(?:[a-z0-9._~%!$&'()*+,;=-]*|\[[a-f0-9:.]+\])(?::\d*)?$/i

/** Whether a `Host` field holds a host and nothing else. */
export function isHost(host: string): boolean {
  return HOST.test(host)
}

/** Path and host that a request line and its `Host` name; undefined when they name none. */
export function targetOf(url: string, hostField: string | undefined): Target | undefined {
  if (url.charCodeAt(0) === 47) {
    const host = hostField ?? ''
    return isHost(host) ? { path: url, host: host.toLowerCase() } : undefined
  }
  // The absolute form overrides Host (RFC 9112 §3.2.2).
  const match = ABSOLUTE.exec(url)
  if (match === null || match[1] === '' || !isHost(match[1]!)) return undefined
  const rest = match[2]!
  return { path: rest.startsWith('/') ? rest : `/${rest}`, host: match[1]!.toLowerCase() }
}

/** The part of a key that tells hosts apart: what the origin is told of the host, and of the protocol if a client can say that. */
export function keyHostOf(host: string, fields: Fields, trustForwarded: boolean): string {
  if (!trustForwarded) return host
  return `${fields['x-forwarded-host'] ?? host} ${fields['x-forwarded-proto'] ?? ''}`
}

/** Key of a target. A path holds no space, so that no two targets make one key. */
export function keyOf(path: string, host: string): string {
  return `${path} ${host}`
}
