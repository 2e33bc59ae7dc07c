import { getSystemErrorName } from 'node:util'
import {
  ClosedError,
  ConfigError,
  CorruptError,
  type DreyError,
  FormatError,
  IoError,
  KeyError,
  LockedError,
  NativeError,
  NoSpaceError,
} from '../../../errors.js'

const MAKE: Readonly<Record<string, (message: string, options: { readonly cause?: unknown }) => DreyError>> =
  {
    ERR_DREY_CONFIG: (message) => new ConfigError(message),
    ERR_DREY_KEY: (message) => new KeyError(message),
    ERR_DREY_CLOSED: (message) => new ClosedError(message),
    ERR_DREY_CORRUPT: (message) => new CorruptError(message),
    ERR_DREY_FORMAT: (message) => new FormatError(message),
    ERR_DREY_LOCKED: (message) => new LockedError(message),
    ERR_DREY_NO_SPACE: (message, options) => new NoSpaceError(message, options),
    ERR_DREY_IO: (message, options) => new IoError(message, options),
  }

/** The error of an operation that failed. Where the system is to blame, `cause` is its own, with errno's name as `code`. */
export function nativeFailure([code, message, errno]: readonly [string, string, number]): DreyError {
  const make = MAKE[code]
  if (make === undefined) return new NativeError(message)
  return make(message, errno === 0 ? {} : { cause: systemError(message, errno) })
}

function systemError(message: string, errno: number): Error {
  return Object.assign(new Error(message), { code: getSystemErrorName(-errno), errno: -errno })
}
