import type { Detail } from './cache-status.js'

/*
 * An origin that gave no usable answer, with the status that says so to a client.
 */

/** Codes of undici and Node that mean "too late" rather than "broken". */
const LATE: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
])

/** Codes that mean that the request cannot be written as HTTP. */
const UNSENDABLE: ReadonlySet<string> = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED'])

/** What a fetcher throws when the origin fails; the cache wraps it as the `cause` of `ERR_DREY_ORIGIN`. */
export class OriginFailure extends Error {
  override readonly name = 'OriginFailure'
  /** For the client: 400, 502 or 504. */
  readonly status: number
  /** What the origin answered, if it did. */
  readonly originStatus: number | undefined

  constructor(message: string, status: number, originStatus?: number, cause?: unknown) {
    super(message, { cause })
    this.status = status
    this.originStatus = originStatus
  }

  get detail(): Detail {
    return this.status === 504 ? 'origin-timeout' : 'origin-unreachable'
  }
}

export function codeOf(error: unknown): string | undefined {
  const code = (error as { readonly code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

/** The failure that an error of the HTTP client stands for. */
export function originFailure(error: unknown): OriginFailure {
  if (error instanceof OriginFailure) return error
  const code = codeOf(error)
  const how = code ?? (error instanceof Error ? error.message : String(error))
  if (code !== undefined && LATE.has(code)) {
    return new OriginFailure(`the origin did not answer in time (${how})`, 504, undefined, error)
  }
  if (code !== undefined && UNSENDABLE.has(code)) {
    return new OriginFailure('the request cannot be forwarded as it is', 400, undefined, error)
  }
  return new OriginFailure(`the origin could not be asked (${how})`, 502, undefined, error)
}
