/*
 * Cache-Status, RFC 9211: one member per cache, appended to what caches nearer to the origin said.
 */

/** Why a request went to the origin. */
export type Forwarded = 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request'

/** Why an answer was not stored, or other things worth knowing. Part of the documented vocabulary. */
export type Detail =
  | 'no-freshness'
  | 'no-store'
  | 'private'
  | 'no-cache'
  | 'set-cookie'
  | 'authorization'
  | 'vary'
  | 'status'
  | 'partial'
  | 'length-unknown'
  | 'headers-too-large'
  | 'too-large'
  | 'no-room'
  | 'fenced'
  | 'tier-down'
  | 'truncated'
  | 'key-too-long'
  | 'request-no-store'
  | 'request-body'
  | 'request-precondition'
  | 'request-connection'
  | 'not-stored-before'
  | 'revalidation-needed'
  | 'variant-mismatch'
  | 'only-if-cached'
  | 'stale-if-error'
  | 'origin-unreachable'
  | 'origin-timeout'
  | 'loop'
  | 'closing'

/** What a forwarded request came to. */
export interface ForwardReport {
  readonly forwarded: Forwarded
  /** Status of the origin; undefined when it gave none, or another request asked it. */
  readonly status?: number | undefined
  readonly collapsed?: boolean
  readonly stored?: boolean
  /** Freshness left, in seconds; negative when stale. */
  readonly ttl?: number | undefined
  readonly detail?: Detail | undefined
}

export function forwardStatus(report: ForwardReport): string {
  let text = `drey; fwd=${report.forwarded}`
  if (report.status !== undefined) text += `; fwd-status=${report.status}`
  if (report.ttl !== undefined && Number.isFinite(report.ttl)) text += `; ttl=${report.ttl}`
  if (report.stored === true) text += '; stored'
  if (report.collapsed === true) text += '; collapsed'
  if (report.detail !== undefined) text += `; detail=${report.detail}`
  return text
}
