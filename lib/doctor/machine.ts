import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { totalmem } from 'node:os'
import { performance } from 'node:perf_hooks'
import * as zlib from 'node:zlib'
import { ControlGroups } from '../config/control-group.js'
import { readIfThere } from '../config/pseudo-file.js'
import { type NativeStatus, native, nativeStatus } from '../native/loader.js'
import { type Env, systemEnv } from '../store/file/env.js'

/** What `statfs` says of the file system of a path. */
export interface FileSystem {
  /** The kernel's number of its kind. */
  readonly type: number
  readonly blockBytes: number
  readonly total: number
  readonly free: number
}

/** What of the addon's faster calls work on a file: errno's number, 0 where they do. */
export interface FileFeatures {
  readonly cachedReads: number
  readonly allocation: number
}

/** All that the checks ask: tests have machines of their own. */
export interface Machine {
  readonly platform: NodeJS.Platform
  readonly arch: string
  /** Without the `v`. */
  readonly node: string
  /** Of the ABI of modules, and of Node-API. */
  readonly modules: string
  readonly napi: string
  /** `DREY_NATIVE`. */
  readonly wish: string | undefined
  readonly addon: NativeStatus
  /** Of CRC32C, fastest first; none without the addon. */
  readonly checksums: readonly string[]
  readonly zstd: boolean
  /** Bytes. */
  readonly memory: number
  /** Of the control groups, the tightest; Infinity where there is none. @throws for what cannot be read */
  groupLimit(): number
  /** The version of an installed package; undefined where there is none. */
  versionOf(name: string): string | undefined
  /** A file of the kernel's; undefined where there is no such. @throws what the system says otherwise */
  read(path: string): string | undefined
  readonly files: Env
  fileSystem(path: string): Promise<FileSystem>
  /** Undefined without the addon. */
  featuresOf(path: string): FileFeatures | undefined
  /** Monotonic, in milliseconds. */
  now(): number
}

/** The one that this runs on. */
export function thisMachine(): Machine {
  const addon = nativeStatus()
  const functions = addon.loaded ? native() : undefined
  return {
    platform: process.platform,
    arch: process.arch,
    node: process.versions.node,
    modules: process.versions.modules,
    napi: process.versions['napi'] ?? '0',
    wish: process.env['DREY_NATIVE'],
    addon,
    checksums: functions?.crc32cImplementations ?? [],
    zstd: 'zstdCompress' in zlib,
    memory: totalmem(),
    groupLimit: () =>
      Math.min(
        Number.POSITIVE_INFINITY,
        ...new ControlGroups().limited(Number.POSITIVE_INFINITY).map(({ limit }) => limit),
      ),
    versionOf,
    read: readIfThere,
    files: systemEnv,
    fileSystem: async (path) => {
      const { type, bsize, blocks, bavail } = await statfs(path)
      return { type, blockBytes: bsize, total: bsize * blocks, free: bsize * bavail }
    },
    featuresOf: (path) => {
      if (functions === undefined) return undefined
      const out = new Float64Array(2)
      functions.fileFeatures(path, out)
      return { cachedReads: out[0]!, allocation: out[1]! }
    },
    now: () => performance.now(),
  }
}

const require = createRequire(import.meta.url)

function versionOf(name: string): string | undefined {
  // A package may keep its manifest to itself, so it is looked for where Node would look for the package.
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      const manifest = readFileSync(`${folder}/${name}/package.json`, 'utf8')
      return (JSON.parse(manifest) as { readonly version: string }).version
    } catch {
      // Not in this folder: the next one may have it.
    }
  }
  return undefined
}
