import { closeSync, openSync, readSync } from 'node:fs'

/** The C library that a Linux program was linked with; an addon must have the same one. */
export type Libc = 'glibc' | 'musl'

/**
 * Which one this Node uses. Read from its own executable, whose header names the loader to be started with
 * (`/lib64/ld-linux-x86-64.so.2`, `/lib/ld-musl-x86_64.so.1`): that takes some microseconds, where
 * `process.report`, the documented way, takes milliseconds, and looking for files would describe the machine
 * instead of this process. Where nothing can be read it says glibc: if that is wrong, then no binary is found
 * or it does not load, and the JavaScript path is taken.
 */
export function libc(executable: string = process.execPath): Libc {
  try {
    return interpreter(executable)?.includes('ld-musl-') ? 'musl' : 'glibc'
  } catch {
    return 'glibc' // it may be run but not read, or is no ELF file that makes sense
  }
}

// Offsets and constants of ELF64, little-endian, which all platforms with a prebuilt binary use.
const HEADER_BYTES = 64
const PROGRAM_HEADER_BYTES = 56
const PT_INTERP = 3
const LONGEST_PATH = 4096

function interpreter(executable: string): string | undefined {
  const file = openSync(executable, 'r')
  try {
    const header = readAt(file, 0, HEADER_BYTES)
    if (header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined
    const table = Number(header.readBigUInt64LE(32))
    const stride = header.readUInt16LE(54)
    const count = header.readUInt16LE(56)
    for (let index = 0; index < count; index++) {
      const entry = readAt(file, table + index * stride, PROGRAM_HEADER_BYTES)
      if (entry.readUInt32LE(0) !== PT_INTERP) continue
      const length = Math.min(Number(entry.readBigUInt64LE(32)), LONGEST_PATH)
      return readAt(file, Number(entry.readBigUInt64LE(8)), length).toString('latin1')
    }
    return undefined // linked statically
  } finally {
    closeSync(file)
  }
}

/** What lies there; zeros where the file has ended before. */
function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  readSync(file, bytes, 0, length, position)
  return bytes
}
