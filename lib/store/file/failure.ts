import { ConfigError, type DreyError, IoError, messageOf, NoSpaceError } from '../../errors.js'
import { codeOf, isNoSpace } from './env.js'

/*
 * What the system's errors are called.
 */

const WRONG_PLACE: ReadonlySet<string> = new Set(['ENOTDIR', 'ELOOP', 'EEXIST', 'ENAMETOOLONG'])

/** Of a call that failed at open: a wrong place is a wrong option. */
export function openFailure(error: unknown, path: string, what: string): DreyError {
  if (isDreyError(error)) return error
  if (WRONG_PLACE.has(codeOf(error))) {
    return new ConfigError(
      `fileStore.dir: ${path}: ${what}: ${messageOf(error)}; want a directory of drey's own, or a place for one`,
      { cause: error },
    )
  }
  return failure(error, path, what)
}

/** Of a call that failed later. */
export function failure(error: unknown, path: string, what: string): DreyError {
  if (isDreyError(error)) return error
  if (isNoSpace(error)) {
    return new NoSpaceError(`${path}: ${what}: ${messageOf(error)}; free some, or lower maxBytes`, {
      cause: error,
    })
  }
  return new IoError(`${path}: ${what}: ${messageOf(error)}`, { cause: error })
}

function isDreyError(error: unknown): error is DreyError {
  return codeOf(error).startsWith('ERR_DREY_')
}
