import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import bindings from 'bindings'
import { ConfigError, NativeError } from '../errors.js'
import { type Addon, whyNotAddon } from './addon.js'
import { libc } from './libc.js'

/*
 * Finds the addon, once in every thread, when it is first needed: in a checkout what node-gyp built, in an
 * installed package the prebuilt binary of this platform. Nothing is ever compiled here. A file that is there
 * but does not load, or is of another version, is passed over for the next one; and when none is left the
 * JavaScript path is taken, which does the same work, so that is no error unless DREY_NATIVE=1 says that it is.
 */

/** Whether the addon is in use in this thread, from which file, and if not, why. */
export type NativeStatus =
  | {
      readonly loaded: true
      /** The file that it was loaded from. */
      readonly path: string
      /** The version that it says it is of, which is that of the package. */
      readonly version: string
      /** The implementation of CRC32C that was chosen for this processor: `avx512`, `sse4.2`, `armv8` or `portable`. */
      readonly crc32c: string
      /** Files that were tried before that one, and what was wrong with them. Those that were not there are left out. */
      readonly passedOver: readonly string[]
    }
  | {
      readonly loaded: false
      /** One sentence: it was not wanted, or which files were tried and what was wrong with each. */
      readonly reason: string
    }

/** The outcome of looking for an addon under a folder. */
export type Search =
  | { readonly addon: Addon; readonly path: string; readonly passedOver: readonly string[] }
  | { readonly addon?: undefined; readonly reason: string }

// This file is lib/native/loader.ts or dist/native/loader.js: both two folders below the package.
const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url))

const NO_WINDOWS = 'there is no addon for Windows, where drey takes the JavaScript path'

/** Where an addon may be, best first. */
function candidates(root: string): string[] {
  const platform = `${process.platform}-${process.arch}`
  const prebuilt = process.platform === 'linux' ? `drey.${libc()}.node` : 'drey.node'
  return [join(root, 'build', 'Release', 'drey.node'), join(root, 'prebuilds', platform, prebuilt)]
}

/** Looks for the addon of the package at `root`; with `file`, only there. Never throws. */
export function findAddon(root: string = PACKAGE_ROOT, file?: string): Search {
  let version: string
  try {
    version = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version
  } catch (error) {
    // A bundler may have moved this file away from its package; the addon is lost then too.
    return { reason: `the package is not around its own code (${messageOf(error)})` }
  }
  const absent: string[] = []
  const passedOver: string[] = []
  for (const path of file === undefined ? candidates(root) : [resolve(file)]) {
    const found = tryFile(root, path, version)
    if (typeof found === 'object') return { addon: found, path, passedOver }
    if (existsSync(path)) passedOver.push(`${path} ${found}`)
    else absent.push(`${path} is not there`)
  }
  return { reason: [...passedOver, ...absent].join('; ') }
}

/** The addon in that file, or what is wrong with it. */
function tryFile(root: string, path: string, version: string): Addon | string {
  try {
    // One file a call, because `bindings` stops at the first one that is there, whether it loads or not.
    const exports: unknown = bindings({ bindings: 'drey', module_root: root, try: [[path]] })
    return whyNotAddon(exports, version) ?? (exports as Addon)
  } catch (error) {
    return `does not load (${messageOf(error)})`
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

interface Outcome {
  readonly addon?: Addon
  readonly status: NativeStatus
  /** Makes the error that whoever needs an implementation gets. */
  readonly refusal?: () => Error
}

function decide(wish: string | undefined): Outcome {
  if (wish === '0') return { status: { loaded: false, reason: 'DREY_NATIVE=0 asks for the JavaScript path' } }
  if (wish !== undefined && wish !== '' && wish !== '1') {
    const reason = `DREY_NATIVE is '${wish}'; want 0 (JavaScript path), 1 (addon or an error), or not set (addon if there is one)`
    return { status: { loaded: false, reason }, refusal: () => new ConfigError(reason) }
  }
  // For who works on drey: an addon that was built in another way, such as under sanitizers.
  const file = process.env['DREY_ADDON'] || undefined
  const nowhere = process.platform === 'win32' && file === undefined
  const search: Search = nowhere ? { reason: NO_WINDOWS } : findAddon(PACKAGE_ROOT, file)
  if (search.addon === undefined) {
    const { reason } = search
    const status = { loaded: false, reason } as const
    if (wish !== '1') return { status }
    const refusal = () =>
      new NativeError(
        `DREY_NATIVE=1 demands the addon, and none could be loaded: ${reason}. ` +
          'Unset DREY_NATIVE for the JavaScript path, or in a checkout run: npm run build:addon',
      )
    return { status, refusal }
  }
  const { addon, path, passedOver } = search
  const chosen = addon.crc32cImplementations[0] ?? 'portable'
  return { addon, status: { loaded: true, path, version: addon.version, crc32c: chosen, passedOver } }
}

let outcome: Outcome | undefined

function decided(): Outcome {
  outcome ??= decide(process.env['DREY_NATIVE'])
  return outcome
}

/**
 * The addon, or `undefined` where the JavaScript path is to be taken.
 *
 * @throws NativeError `ERR_DREY_NATIVE`: there is none, and `DREY_NATIVE=1`.
 * @throws ConfigError `ERR_DREY_CONFIG`: `DREY_NATIVE` is neither 0 nor 1.
 */
export function native(): Addon | undefined {
  const { addon, refusal } = decided()
  if (refusal !== undefined) throw refusal()
  return addon
}

/**
 * Whether the addon is in use in this thread, from where, or why not. Looks for it if nothing has yet. Never
 * throws, so that it can be asked when something else has.
 */
export function nativeStatus(): NativeStatus {
  return decided().status
}
