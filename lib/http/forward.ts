import { type HeaderList, hopFields, without } from './headers.js'
import type { Target } from './target.js'

/*
 * The fields of a request as the origin gets them.
 */

/** What the proxy knows of a request beside its fields. */
export interface Arrival {
  readonly target: Target
  readonly httpVersion: string
  /** Address of the peer; undefined when it is gone already. */
  readonly peer: string | undefined
  /** Hops that an OPTIONS or TRACE may still go, if it says. */
  readonly hopsLeft: number | undefined
}

export interface ForwardOptions {
  /** Ask the origin under the host that the client asked for. */
  readonly preserveHost: boolean
  /** Keep `X-Forwarded-*` and `Forwarded` as they come: what is in front of the proxy sets them. */
  readonly trustForwarded: boolean
  /** Tells this proxy from others in `Via`, to see a loop. */
  readonly instance: string
}

/** Fields that the origin sees with this proxy's own words at their end. */
export const APPENDED_FIELDS: ReadonlySet<string> = new Set(['x-forwarded-for', 'via'])

/** Fields that make an origin answer with less than the whole: the cache asks for the whole and narrows by itself. */
const CONDITIONS: ReadonlySet<string> = new Set([
  'if-none-match',
  'if-modified-since',
  'if-match',
  'if-unmodified-since',
  'if-range',
  'range',
])

/** Whether the request came through this proxy before. */
export function hasLooped(via: string | undefined, instance: string): boolean {
  return via?.includes(instance) === true
}

/**
 * End-to-end fields of a request, with `Via` and `X-Forwarded-*`. `For` is appended to, since it is the record of a
 * route. `Host` and `Proto` are what this proxy saw, unless those in front are trusted: an origin that builds
 * links from them would otherwise put a stranger's words into what everybody gets.
 */
export function forwardedHeaders(
  raw: HeaderList,
  fields: Readonly<Record<string, string | undefined>>,
  arrival: Arrival,
  options: ForwardOptions,
  whole: boolean,
): string[] {
  const hops = hopFields(fields['connection'])
  const headers = without(raw, (name) => {
    if (name === 'host' || name === 'expect' || name === 'x-forwarded-for' || hops.has(name)) return true
    if (whole && CONDITIONS.has(name)) return true
    if (arrival.hopsLeft !== undefined && name === 'max-forwards') return true
    return !options.trustForwarded && (name === 'forwarded' || name.startsWith('x-forwarded-'))
  })
  if (options.preserveHost && arrival.target.host !== '') headers.push('Host', arrival.target.host)
  if (arrival.hopsLeft !== undefined) headers.push('Max-Forwards', String(arrival.hopsLeft - 1))
  headers.push('Via', `${arrival.httpVersion} drey (${options.instance})`)
  const route = [fields['x-forwarded-for'], arrival.peer].filter((part) => part !== undefined && part !== '')
  if (route.length > 0) headers.push('X-Forwarded-For', route.join(', '))
  if (!options.trustForwarded || fields['x-forwarded-proto'] === undefined)
    headers.push('X-Forwarded-Proto', 'http')
  if (arrival.target.host !== '' && (!options.trustForwarded || fields['x-forwarded-host'] === undefined)) {
    headers.push('X-Forwarded-Host', arrival.target.host)
  }
  return headers
}

/** An IPv4 peer of a socket that listens on both families, as IPv4. */
export function peerAddress(address: string | undefined): string | undefined {
  return address?.startsWith('::ffff:') === true ? address.slice(7) : address
}
