import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach } from 'vitest'

/*
 * Trees of files that stand for those of a kernel: /proc and control groups.
 */

const roots: string[] = []

afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true })
})

/** A tree of a test, gone after it. */
export interface SystemTree {
  readonly root: string
  /** Writes the file at an absolute path of the tree. */
  write(path: string, text: string): void
  remove(path: string): void
}

export function systemTree(files: Readonly<Record<string, string>> = {}): SystemTree {
  const root = mkdtempSync(join(tmpdir(), 'drey-system-'))
  roots.push(root)
  const tree: SystemTree = {
    root,
    write(path, text) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text, 'latin1')
    },
    remove: (path) => rmSync(join(root, path), { recursive: true }),
  }
  for (const [path, text] of Object.entries(files)) tree.write(path, text)
  return tree
}

/** The files of a group of version 2 at `directory`. */
export function groupFiles(
  directory: string,
  group: {
    readonly max?: number | 'max'
    readonly high?: number | 'max'
    readonly used?: number
    readonly inactive?: number
    readonly active?: number
  },
): Record<string, string> {
  const { max = 'max', high = 'max', used = 0, inactive = 0, active = 0 } = group
  return {
    [`${directory}/memory.max`]: `${max}\n`,
    [`${directory}/memory.high`]: `${high}\n`,
    [`${directory}/memory.current`]: `${used}\n`,
    [`${directory}/memory.stat`]: `anon 17\nfile 4\ninactive_anon 9\ninactive_file ${inactive}\nactive_file ${active}\nslab 3\n`,
  }
}

/** As `groupFiles`, of version 1. */
export function oldGroupFiles(
  directory: string,
  group: {
    readonly limit: number
    readonly used: number
    readonly inactive?: number
    readonly active?: number
  },
): Record<string, string> {
  const { limit, used, inactive = 0, active = 0 } = group
  return {
    [`${directory}/memory.limit_in_bytes`]: `${limit}\n`,
    [`${directory}/memory.usage_in_bytes`]: `${used}\n`,
    [`${directory}/memory.stat`]: `inactive_file 1\nactive_file 1\ntotal_inactive_file ${inactive}\ntotal_active_file ${active}\n`,
  }
}

/** Where the groups of version 2 are mounted, and the process's own. */
export function membership(path: string, mount = '/sys/fs/cgroup', from = '/'): Record<string, string> {
  return {
    '/proc/self/cgroup': `0::${path}\n`,
    '/proc/self/mountinfo': [
      '22 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
      `31 22 0:27 ${from} ${mount} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate`,
      '',
    ].join('\n'),
  }
}

export function meminfo(total: number, available: number): Record<string, string> {
  return {
    '/proc/meminfo': `MemTotal:       ${total / 1024} kB\nMemFree:        12 kB\nMemAvailable:   ${available / 1024} kB\n`,
  }
}

export function stalls(path: string, some: number, full: number): Record<string, string> {
  return {
    [path]: `some avg10=${some.toFixed(2)} avg60=1.00 avg300=0.10 total=12\nfull avg10=${full.toFixed(2)} avg60=0.00 avg300=0.00 total=3\n`,
  }
}
