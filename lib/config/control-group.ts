import { readCount, readIfThere, readPseudoFile } from './pseudo-file.js'

/*
 * The control groups that bound the memory of this process: its own, and those above it, of version 2 and of version 1. Any of
 * them may have the limit that counts. docs/reference/pressure.md says what is read.
 */

/** A group with a limit. */
export interface LimitedGroup {
  readonly directory: string
  readonly version: 1 | 2
  /** Bytes: the least of its limits. */
  readonly limit: number
}

interface Group {
  readonly directory: string
  readonly version: 1 | 2
  /** The files of its limits that are there. */
  readonly limits: readonly string[]
}

const LIMITS = { 1: ['memory.limit_in_bytes'], 2: ['memory.max', 'memory.high'] } as const
const USAGE = { 1: 'memory.usage_in_bytes', 2: 'memory.current' } as const
const FILE_CACHE = {
  1: [/^total_inactive_file (\d{1,20})$/m, /^total_active_file (\d{1,20})$/m],
  2: [/^inactive_file (\d{1,20})$/m, /^active_file (\d{1,20})$/m],
} as const

/** So often the groups are looked for anew: a process is moved seldom. */
const LOOK_AGAIN = 64

/** Finds the groups, and reads their limits as they are now. */
export class ControlGroups {
  readonly #root: string
  #groups: readonly Group[] = []
  #looks = 0

  /** @param root before the path of every file: tests have trees of their own */
  constructor(root = '') {
    this.#root = root
  }

  /** The groups that have a limit below `most` bytes, the process's own first. @throws for what cannot be read or understood */
  limited(most: number): LimitedGroup[] {
    if (this.#looks === 0) this.#groups = groupsOf(this.#root)
    this.#looks = (this.#looks + 1) % LOOK_AGAIN
    const limited: LimitedGroup[] = []
    for (const { directory, version, limits } of this.#groups) {
      const limit = Math.min(...limits.map(readLimit))
      if (limit < most) limited.push({ directory, version, limit })
    }
    return limited
  }

  /** Looks for the groups anew at the next call: one of them has gone, or is not what it was. */
  forget(): void {
    this.#looks = 0
  }
}

/**
 * Bytes that the group uses and that the kernel cannot have back by dropping cached files. @throws for what cannot be read or
 * understood
 */
export function usedBy({ directory, version }: LimitedGroup): number {
  const used = readCount(`${directory}/${USAGE[version]}`)
  const path = `${directory}/memory.stat`
  const stat = readPseudoFile(path)
  let cached = 0
  for (const line of FILE_CACHE[version]) {
    const found = line.exec(stat)
    if (found === null) throw new Error(`${path}: want a line like ${line.source}`)
    cached += Number(found[1])
  }
  return Math.max(0, used - cached)
}

/** The tightest limit of the process's groups below `most`; `most` where there is none. @throws as `ControlGroups.limited` */
export function tightestLimit(most: number, groups = new ControlGroups()): number {
  return Math.min(most, ...groups.limited(most).map(({ limit }) => limit))
}

function readLimit(path: string): number {
  const text = readPseudoFile(path).trim()
  if (text === 'max') return Number.POSITIVE_INFINITY
  if (/^\d{1,20}$/.test(text)) return Number(text)
  throw new Error(`${path}: got ${JSON.stringify(text.slice(0, 40))}; want a number, or max`)
}

function groupsOf(root: string): Group[] {
  const memberships = readIfThere(`${root}/proc/self/cgroup`)
  const mounts = readIfThere(`${root}/proc/self/mountinfo`)
  if (memberships === undefined || mounts === undefined) return []
  const groups: Group[] = []
  for (const line of memberships.split('\n')) {
    const [, hierarchy, controllers, path] = /^(\d+):([^:]*):(\/.*)$/.exec(line) ?? []
    if (path === undefined) continue
    const version = hierarchy === '0' && controllers === '' ? 2 : 1
    if (version === 1 && !controllers!.split(',').includes('memory')) continue
    for (const directory of directoriesOf(mounts, version, path)) {
      const limits = LIMITS[version]
        .map((name) => `${root}${directory}/${name}`)
        .filter((file) => readIfThere(file) !== undefined)
      if (limits.length > 0) groups.push({ directory: `${root}${directory}`, version, limits })
    }
  }
  return groups
}

/** Where the group and those above it are, as far up as they are mounted. */
function directoriesOf(mounts: string, version: 1 | 2, path: string): string[] {
  let best: { readonly at: string; readonly inside: string; readonly shared: number } | undefined
  for (const line of mounts.split('\n')) {
    const [before = '', after = ''] = line.split(' - ', 2)
    const [type, , options = ''] = after.split(' ')
    if (type !== (version === 2 ? 'cgroup2' : 'cgroup')) continue
    if (version === 1 && !options.split(',').includes('memory')) continue
    const [, , , from, to] = before.split(' ')
    if (from === undefined || to === undefined) continue
    const inside = below(unescaped(from), path)
    const shared = inside === undefined ? -1 : from.length
    // What lies outside of what is mounted cannot be seen; the mount's own root is the nearest thing to it.
    if (best === undefined || shared > best.shared) best = { at: unescaped(to), inside: inside ?? '', shared }
  }
  if (best === undefined) return []
  const directories: string[] = []
  for (let inside = best.inside; ; inside = inside.slice(0, inside.lastIndexOf('/'))) {
    directories.push(`${best.at === '/' ? '' : best.at}${inside}`)
    if (inside === '') return directories
  }
}

/** The rest of `path` behind `from`: '' or something that begins with a slash; undefined when it does not lie there. */
function below(from: string, path: string): string | undefined {
  if (path.split('/').includes('..')) return undefined
  const base = from === '/' ? '' : from
  if (path === '/' || path === base) return base === '' || path === base ? '' : undefined
  return path.startsWith(`${base}/`) ? path.slice(base.length) : undefined
}

function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
