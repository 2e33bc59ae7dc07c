import { inspect } from 'node:util'

/*
 * Every error that drey raises, one class per kind. Match on `code`, which is stable; messages are for
 * people and say what was given, what is allowed and what to do.
 */

export type DreyErrorCode =
  | 'ERR_DREY_CONFIG'
  | 'ERR_DREY_KEY'
  | 'ERR_DREY_CLOSED'
  | 'ERR_DREY_TIMEOUT'
  | 'ERR_DREY_ABORTED'
  | 'ERR_DREY_OVERLOADED'
  | 'ERR_DREY_BREAKER_OPEN'
  | 'ERR_DREY_TRUNCATED'
  | 'ERR_DREY_TOO_LARGE'
  | 'ERR_DREY_NO_SPACE'
  | 'ERR_DREY_LOCKED'
  | 'ERR_DREY_IO'
  | 'ERR_DREY_FORMAT'
  | 'ERR_DREY_CORRUPT'
  | 'ERR_DREY_COMPRESSION'
  | 'ERR_DREY_NATIVE'
  | 'ERR_DREY_ORIGIN'
  | 'ERR_DREY_RANGE'
  | 'ERR_DREY_BODY_USED'

/** Base class of all errors of drey. `code` is stable and is what to match on; `cause` is the error beneath. */
export abstract class DreyError extends Error {
  abstract readonly code: DreyErrorCode

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = new.target.name
  }
}

/** An option, or an argument that is set by the programmer, is not what it may be. Names its path, the value and what would do. */
export class ConfigError extends DreyError {
  readonly code = 'ERR_DREY_CONFIG'
}

/** A key that is no key: not a string, empty, over 32 KiB in UTF-8, or ill-formed UTF-16. */
export class KeyError extends DreyError {
  readonly code = 'ERR_DREY_KEY'
}

/** The cache, store or writer was closed before or during the call. */
export class ClosedError extends DreyError {
  readonly code = 'ERR_DREY_CLOSED'
}

/** Something took longer than its timeout; the message names the option that holds it. */
export class TimeoutError extends DreyError {
  readonly code = 'ERR_DREY_TIMEOUT'
}

/** The caller's own `signal` ended the call. `name` is `'AbortError'` and `cause` is `signal.reason`. */
export class AbortedError extends DreyError {
  readonly code = 'ERR_DREY_ABORTED'

  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'AbortError'
  }
}

/** A tier failed again and again, and is left alone for a while: nothing was asked of it. */
export class BreakerOpenError extends DreyError {
  readonly code = 'ERR_DREY_BREAKER_OPEN'
}

/** More was asked for than may wait its turn; the message names the option that bounds the queue. */
export class OverloadedError extends DreyError {
  readonly code = 'ERR_DREY_OVERLOADED'
}

/** A body ended before it was whole, or did not have the size that it declared. Nothing of it was kept. */
export class TruncatedError extends DreyError {
  readonly code = 'ERR_DREY_TRUNCATED'
}

/** A value given to `set` or `writer` is larger than any tier may keep. */
export class TooLargeError extends DreyError {
  readonly code = 'ERR_DREY_TOO_LARGE'
}

/** A value given to `set` or `writer` found no room: what the tier holds is all in use just now. Or the disk is full. */
export class NoSpaceError extends DreyError {
  readonly code = 'ERR_DREY_NO_SPACE'
}

/** The directory of a file store is owned by another process, or by another store of this one; the message names it. */
export class LockedError extends DreyError {
  readonly code = 'ERR_DREY_LOCKED'
}

/** The system failed a call on a file or folder; the message has the path, `cause` is the system's error. */
export class IoError extends DreyError {
  readonly code = 'ERR_DREY_IO'
}

/** The directory of a file store is of a newer format than this version of drey reads. Nothing in it was touched. */
export class FormatError extends DreyError {
  readonly code = 'ERR_DREY_FORMAT'
}

/** What came from the disk is not what was written there. Nothing of it was given out; of a body, what was read before is right. */
export class CorruptError extends DreyError {
  readonly code = 'ERR_DREY_CORRUPT'
}

/** What was compressed cannot be decompressed: it is damaged, or its codec is not there. */
export class CompressionError extends DreyError {
  readonly code = 'ERR_DREY_COMPRESSION'
  /** The codec is not there. The bytes may be good: another process may read them, and nothing is to be dropped. */
  readonly absent: boolean

  constructor(message: string, options: { readonly cause?: unknown; readonly absent?: boolean } = {}) {
    super(message, options)
    this.absent = options.absent ?? false
  }
}

/** The addon was demanded (`DREY_NATIVE=1`), or what was asked for cannot be done without it, and it is not loaded; the message says why. */
export class NativeError extends DreyError {
  readonly code = 'ERR_DREY_NATIVE'
}

/** The fetcher threw, or returned what is no result. `cause` is its own error. */
export class OriginError extends DreyError {
  readonly code = 'ERR_DREY_ORIGIN'
}

/** A range that does not lie within the value. */
export class OutOfRangeError extends DreyError {
  readonly code = 'ERR_DREY_RANGE'
}

/** The body was read, or closed, before: it can be read once. */
export class BodyUsedError extends DreyError {
  readonly code = 'ERR_DREY_BODY_USED'
}

/** The error of a caller's own abort, as every waiting place raises it. */
export function abortedBy(signal: AbortSignal, what: string): AbortedError {
  return new AbortedError(`${what} was aborted by the caller's signal`, { cause: signal.reason })
}

/** What `cause`, which may be anything that can be thrown, says of itself. Never throws. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : inspect(cause)
}
