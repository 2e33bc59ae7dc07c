import { patterned } from '../../../helpers/bodies.js'

/*
 * What a test did to a cache, as intervals on one line of ticks, and the question whether an answer fits it:
 * it must be the last value that was written or fetched, or one whose writing overlaps. Misses always fit.
 */

/** A value that was written, or fetched from the origin. */
export interface Version {
  readonly id: number
  readonly key: string
  readonly kind: 'fill' | 'write'
  readonly bytes: Buffer
  /** When the write was asked for, or the origin called. */
  readonly start: number
  /** When it was seen to be stored. */
  end: number | undefined
  /** The body broke off: nobody may see it whole. */
  cut: boolean
}

/** Something after which older values may not be seen. */
interface Change {
  readonly key: string
  readonly kind: 'delete' | 'fill' | 'write'
  readonly version: Version | undefined
  readonly start: number
  end: number | undefined
}

const EVERY_KEY = '*'

export class History {
  tick = 0
  readonly #versions = new Map<number, Version>()
  readonly #changes: Change[] = []

  /** A new value of `key`, of about `size` bytes, that tells what it is. */
  begin(kind: Version['kind'], key: string, size: number): Version {
    const id = this.#versions.size
    const bytes = Buffer.concat([Buffer.from(`${key}:${id}:`), patterned(size, id)])
    this.tick += 1
    const version: Version = { id, key, kind, bytes, start: this.tick, end: undefined, cut: false }
    this.#versions.set(id, version)
    return version
  }

  /** `version` was stored. */
  stored(version: Version): void {
    if (version.end !== undefined) return
    this.tick += 1
    version.end = this.tick
    const { key, kind, start, end } = version
    this.#changes.push({ key, kind, version, start, end })
  }

  /** A delete of `key`, or of all keys; call what it returns when it is done. */
  deleting(key: string | undefined): () => void {
    this.tick += 1
    const change: Change = {
      key: key ?? EVERY_KEY,
      kind: 'delete',
      version: undefined,
      start: this.tick,
      end: undefined,
    }
    this.#changes.push(change)
    return () => {
      this.tick += 1
      change.end = this.tick
    }
  }

  /** Whether something that was begun or done since `tick` lets a second call of the origin be. */
  changedSince(tick: number, key: string, writing: readonly Version[]): boolean {
    if (writing.some((write) => write.key === key)) return true
    return this.#changes.some(
      ({ key: changed, kind, end }) =>
        (changed === key || changed === EVERY_KEY) && kind !== 'fill' && (end === undefined || end > tick),
    )
  }

  /** Why a value that was answered to who asked at `asked` is wrong; undefined when it is right. `whole` unless it is the part from `start`. */
  wrong(key: string, asked: number, bytes: Buffer, part?: { id: number; start: number }): string | undefined {
    const id = part?.id ?? Number(/^\w+:(\d+):/.exec(bytes.toString('latin1', 0, 40))?.[1] ?? Number.NaN)
    const version = this.#versions.get(id)
    if (version === undefined) return `${bytes.length} bytes of ${key} that nobody wrote`
    if (version.key !== key) return `${key} answered with version ${id}, of ${version.key}`
    const want =
      part === undefined ? version.bytes : version.bytes.subarray(part.start, part.start + bytes.length)
    if (!want.equals(bytes)) return `${bytes.length} bytes of version ${id} of ${key}, torn`
    if (version.cut && part === undefined) return `version ${id} of ${key} whole, although it broke off`
    const newer = this.#changes.find((change) => supersedes(change, version, asked))
    return (
      newer &&
      `version ${id} of ${key} to who asked at ${asked}, after ${newer.kind} [${newer.start}, ${newer.end}]`
    )
  }
}

function concerns(change: Change, key: string): boolean {
  return change.key === key || change.key === EVERY_KEY
}

/** Whether `change` was done before `asked`, and nothing of `version` was left to be seen after it. */
function supersedes(change: Change, version: Version, asked: number): boolean {
  if (!concerns(change, version.key) || change.version === version) return false
  if (change.end === undefined || change.end >= asked) return false
  // A delete wins over all that began before it, a write over the fills that did (I5).
  if (change.kind === 'delete' || (change.kind === 'write' && version.kind === 'fill')) {
    return change.start > version.start
  }
  // Of two writes, or two fills, the one that is stored last wins.
  return version.end !== undefined && change.start > version.end
}
