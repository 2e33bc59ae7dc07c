import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { bytesOf } from '../conformance/store-kit.js'
import { filesOf } from './file-model.js'

/** Something done to the files of a directory. */
export interface Harm {
  readonly kind: 'flip' | 'zero' | 'cut' | 'extend' | 'swap' | 'duplicate' | 'remove' | 'insert' | 'move'
  /** Which file, and which other: by their order, counted round and round. */
  readonly file: number
  readonly other: number
  /** Where in the file: a share of its length. */
  readonly at: number
  readonly length: number
}

export const harm: fc.Arbitrary<Harm> = fc.record({
  kind: fc.constantFrom(
    'flip',
    'flip',
    'flip',
    'zero',
    'cut',
    'extend',
    'swap',
    'duplicate',
    'remove',
    'insert',
    'move',
  ),
  file: fc.nat(),
  other: fc.nat(),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  length: fc.integer({ min: 1, max: 9000 }),
})

export function inflict(dir: string, { kind, file, other, at, length }: Harm): void {
  const files = filesOf(dir).sort()
  if (files.length === 0) return
  const path = files[file % files.length]!
  const second = files[other % files.length]!
  const bytes = readFileSync(path)
  const from = Math.floor(bytes.length * at)
  switch (kind) {
    case 'flip':
      if (bytes.length === 0) return
      bytes[from] = bytes[from]! ^ (1 << (length % 8))
      writeFileSync(path, bytes)
      return
    case 'zero':
      writeFileSync(path, bytes.fill(0, from, Math.min(bytes.length, from + length)))
      return
    case 'cut':
      truncateSync(path, from)
      return
    case 'extend':
      appendFileSync(path, bytesOf(length, 'more'))
      return
    case 'insert':
      writeFileSync(
        path,
        Buffer.concat([bytes.subarray(0, from), bytesOf(length, 'in'), bytes.subarray(from)]),
      )
      return
    case 'move':
      // A part of it to another place in it, as records would lie.
      bytes.copyWithin((other % (bytes.length + 1)) & ~7, from & ~7, (from & ~7) + length)
      writeFileSync(path, bytes)
      return
    case 'swap':
      if (path === second) return
      renameSync(path, join(dir, 'swapped'))
      renameSync(second, path)
      renameSync(join(dir, 'swapped'), second)
      return
    case 'duplicate':
      if (path !== second) copyFileSync(path, second)
      return
    case 'remove':
      rmSync(path)
  }
}
