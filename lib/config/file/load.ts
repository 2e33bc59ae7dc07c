import { constants } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ConfigError, messageOf } from '../../errors.js'
import { showSize } from '../units.js'
import { validate } from '../validate.js'
import { firstMistake, placeOf } from './json.js'
import { migrate } from './migrate.js'
import { type FileConfig, fileConfig } from './schema.js'

/** Names that are looked for where none is given. */
export const FILE_NAMES = ['drey.config.json', 'drey.config.js', 'drey.config.mjs', 'drey.config.ts'] as const

/** A larger file holds something else. */
const MOST_BYTES = 2 ** 20

/** A configuration that was read from a file, and is right as far as each option goes. */
export interface LoadedConfig {
  /** The file, absolute. */
  readonly file: string
  /** As it was given. */
  readonly options: Omit<FileConfig, 'proxy' | 'version' | '$schema'>
  /** Its part `proxy`. */
  readonly proxy: NonNullable<FileConfig['proxy']>
  /** Of its form: 0 where the file says none. */
  readonly version: number
  /** What would be written otherwise in the newest form. */
  readonly outdated: readonly string[]
}

/**
 * Reads a configuration file: JSON, or a module whose default export, or export `config`, is the configuration. Without a path: the one that the
 * working directory has.
 *
 * @throws `ERR_DREY_CONFIG` that names the file and says why: it is not there, cannot be read, is no file, is larger than 1 MiB, is not JSON
 * (with line and column), or has an option that is wrong, a line for each.
 */
export async function loadConfig(path?: string | URL): Promise<LoadedConfig> {
  const file = path === undefined ? await findConfig() : absolute(path)
  const { options, version, changes } = migrate(await readRaw(file))
  try {
    validate(fileConfig, options, '')
  } catch (error) {
    if (error instanceof ConfigError) throw inFile(file, error)
    throw error
  }
  const { proxy = {}, version: _, $schema: __, ...rest } = options as FileConfig
  return { file, options: rest, proxy, version, outdated: changes }
}

/** `error`, with the file in front of each of its lines. */
export function inFile(file: string, error: ConfigError): ConfigError {
  const lines = error.message.split('\n').map((line) => `${file}: ${line}`)
  return new ConfigError(lines.join('\n'), { cause: error })
}

/** The file that is to be read, absolute. @throws `ERR_DREY_CONFIG` when there is none, or more than one */
export async function findConfig(folder = process.cwd()): Promise<string> {
  const there: string[] = []
  for (const name of FILE_NAMES) {
    const file = join(folder, name)
    const found = await access(file).then(yes, no)
    if (found) there.push(file)
  }
  const [first, second] = there
  if (first === undefined) {
    throw new ConfigError(
      `configFile: there is no ${FILE_NAMES.join(', ')} in ${folder}; want one of them, or the path of another`,
    )
  }
  if (second !== undefined) {
    throw new ConfigError(`configFile: there is ${first}, and ${second}, too; want one, or the path of it`)
  }
  return first
}

export function absolute(path: string | URL): string {
  return resolve(path instanceof URL ? fileURLToPath(path) : path)
}

/** What the file gives, unchecked. */
export async function readRaw(file: string): Promise<unknown> {
  const kind = extname(file)
  const text = await readText(file)
  if (kind === '.json') return parse(file, text)
  if (kind === '.js' || kind === '.mjs' || kind === '.ts') return imported(file)
  throw new ConfigError(`${file}: got a name that ends in "${kind}"; want .json, .js, .mjs or .ts`)
}

async function readText(file: string): Promise<string> {
  try {
    // Without waiting for a writer, should it be a pipe.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const stat = await handle.stat()
      if (stat.isDirectory()) throw new ConfigError(`${file}: is a directory; want a file`)
      if (!stat.isFile()) throw new ConfigError(`${file}: is a pipe or a device; want a file`)
      if (stat.size > MOST_BYTES) {
        throw new ConfigError(`${file}: has ${showSize(stat.size)}; want at most ${showSize(MOST_BYTES)}`)
      }
      return await handle.readFile('utf8')
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(`${file}: ${reasonOf(error)}`, { cause: error })
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file; want the path of one',
  EACCES: 'this process may not read it',
  EISDIR: 'is a directory; want a file',
  ELOOP: 'is a link that leads to itself',
  ENXIO: 'is a pipe or a device; want a file',
}

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return (code === undefined ? undefined : REASONS[code]) ?? `cannot be read: ${messageOf(error)}`
}

function parse(file: string, written: string): unknown {
  // Some editors begin with a mark of the byte order.
  const text = written.replace(/^\ufeff/, '')
  if (text.trim() === '') throw new ConfigError(`${file}: is empty; want { "version": 1 } at least`)
  const mistake = firstMistake(text)
  if (mistake === undefined) return JSON.parse(text)
  const { line, column } = placeOf(text, mistake)
  const got = mistake >= text.trimEnd().length ? 'it ends' : `got ${JSON.stringify(text[mistake])}`
  throw new ConfigError(`${file}:${line}:${column}: ${got} where JSON has to go on otherwise`)
}

/** Modules are kept by their address: one that changed is asked for under another. */
let asked = 0

async function imported(file: string): Promise<unknown> {
  asked += 1
  const url = `${pathToFileURL(file).href}?drey=${asked}`
  let module: { readonly default?: unknown; readonly config?: unknown }
  try {
    module = await import(/* @vite-ignore */ url)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'ERR_UNKNOWN_FILE_EXTENSION' ? 'this version of Node runs no TypeScript' : messageOf(error)
    throw new ConfigError(`${file}: cannot be imported: ${why}`, { cause: error })
  }
  const given = module.default ?? module.config
  if (given !== undefined) return given
  throw new ConfigError(`${file}: exports no configuration; want a default export, or one named config`)
}

const yes = (): true => true
const no = (): false => false
