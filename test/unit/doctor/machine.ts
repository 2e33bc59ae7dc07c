import type { Machine } from '../../../lib/doctor/machine.js'
import { systemEnv } from '../../../lib/store/file/env.js'

const LIMITS = `Limit                     Soft Limit           Hard Limit           Units
Max file size             unlimited            unlimited            bytes
Max open files            65536                65536                files
Max address space         unlimited            unlimited            bytes
`

/** What the kernel says where all is well. */
export const FILES: Readonly<Record<string, string>> = {
  '/proc/self/limits': LIMITS,
  '/proc/sys/vm/overcommit_memory': '0\n',
  '/proc/sys/vm/max_map_count': '65530\n',
  '/sys/kernel/mm/transparent_hugepage/enabled': 'always [madvise] never\n',
}

/** A machine on which all is well, but for what is given. */
export function machineOf(
  more: Partial<Machine> = {},
  files: Readonly<Record<string, string>> = {},
): Machine {
  const there = { ...FILES, ...files }
  return {
    platform: 'linux',
    arch: 'x64',
    node: '22.20.0',
    modules: '127',
    napi: '10',
    wish: undefined,
    addon: { loaded: true, path: '/drey.node', version: '1.2.3', crc32c: 'sse4.2', passedOver: [] },
    checksums: ['sse4.2', 'portable'],
    zstd: true,
    memory: 16 * 2 ** 30,
    groupLimit: () => Number.POSITIVE_INFINITY,
    versionOf: () => '1.0.0',
    read: (path) => there[path],
    files: systemEnv,
    fileSystem: async () => ({ type: 0xef53, blockBytes: 4096, total: 1000 * 2 ** 30, free: 500 * 2 ** 30 }),
    featuresOf: () => ({ cachedReads: 0, allocation: 0 }),
    now: () => 0,
    ...more,
  }
}
