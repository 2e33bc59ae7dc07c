import { closeSync, openSync, readSync } from 'node:fs'

/*
 * Files that the kernel writes when they are read: /proc and control groups. They are read at once, because that takes
 * 3 to 6 µs each, and a tenth of what a thread of libuv's would cost; and because those threads may all be waiting
 * for a disk at the very time when memory is short.
 */

const MOST_BYTES = 2 ** 20
const DECIMAL = /^\d{1,20}$/

let space = Buffer.allocUnsafeSlow(16 * 1024)

/** The text of the file. @throws what the system says, and when there is more than 1 MiB of it. */
export function readPseudoFile(path: string): string {
  const file = openSync(path, 'r')
  try {
    for (let used = 0; ; ) {
      const got = readSync(file, space, used, space.length - used, null)
      used += got
      if (got === 0) return space.toString('latin1', 0, used)
      if (used < space.length) continue
      if (used >= MOST_BYTES) throw new Error(`${path}: more than ${MOST_BYTES} bytes`)
      const larger = Buffer.allocUnsafeSlow(used * 2)
      space.copy(larger)
      space = larger
    }
  } finally {
    closeSync(file)
  }
}

/** As `readPseudoFile`; undefined where there is no such file, or the kernel does not do what it is about. */
export function readIfThere(path: string): string | undefined {
  try {
    return readPseudoFile(path)
  } catch (error) {
    if (isAbsence(error)) return undefined
    throw error
  }
}

/** The file's one number. @throws when it has something else */
export function readCount(path: string): number {
  const text = readPseudoFile(path).trim()
  if (DECIMAL.test(text)) return Number(text)
  throw new Error(`${path}: got ${JSON.stringify(text.slice(0, 40))}; want a number`)
}

const ABSENCES: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR', 'EOPNOTSUPP'])

function isAbsence(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ABSENCES.has(error.code)
}
