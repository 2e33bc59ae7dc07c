import { rename, stat, writeFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { checkCacheOptions } from '../cache/options.js'
import { absolute, findConfig, inFile, loadConfig, readRaw } from '../config/file/load.js'
import { migrate } from '../config/file/migrate.js'
import { VERSION } from '../config/file/schema.js'
import { proxyOptionsWith } from '../config/file/with-file.js'
import { ConfigError, messageOf } from '../errors.js'
import { readProxyOptions } from '../http/options.js'
import type { Console } from './console.js'
import { CommandError, type Flags, readOperands, UsageError } from './usage.js'

const FLAGS = { json: { type: 'boolean' }, migrate: { type: 'boolean' } } as const satisfies Flags

export const CONFIG_HELP = `drey config: looks at a configuration file

Usage:
  drey config check [FILE] [--json] [--migrate]

Says whether FILE is a configuration, and names each mistake. Without FILE: the drey.config.json, .js, .mjs or .ts of the working
directory.

Options:
  --json      one object on standard output: file, ok, version, problems, changes
  --migrate   rewrite a file of an older version, JSON only; what it had is in FILE.old

Exit status: 0 it is right, 1 it is wrong or cannot be read, 2 the command line is wrong.

Examples:
  drey config check
  drey config check /etc/drey/drey.config.json --json
  drey config check drey.config.json --migrate
`

/** What was found. */
interface Report {
  readonly file: string
  readonly ok: boolean
  readonly version?: number
  readonly problems: readonly string[]
  /** What is, or was, to be written otherwise. */
  readonly changes: readonly string[]
  readonly migrated: boolean
}

/** `drey config`: resolves to the exit status. */
export async function configCommand(args: readonly string[], console: Console): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  const [what, given, ...more] = operands
  if (what !== 'check' || more.length > 0) throw new UsageError('config wants: check [FILE]')
  const report = await check(given, flags['migrate'] === true)
  if (flags['json'] === true) console.stdout.write(`${JSON.stringify(report)}\n`)
  else tell(report, console)
  return report.ok ? 0 : 1
}

async function check(given: string | undefined, rewrite: boolean): Promise<Report> {
  let file = given === undefined ? '' : absolute(given)
  try {
    file = given === undefined ? await findConfig() : file
    const loaded = await loadConfig(file)
    try {
      checkCacheOptions(loaded.options)
      if (Object.keys(loaded.proxy).length > 0) readProxyOptions(proxyOptionsWith(SOMEWHERE, loaded))
    } catch (error) {
      throw error instanceof ConfigError ? inFile(file, error) : error
    }
    const { version, outdated: changes } = loaded
    const migrated = rewrite && version < VERSION
    if (migrated) await rewriteFile(file)
    return { file, ok: true, version, problems: [], changes, migrated }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { file, ok: false, problems: error.message.split('\n'), changes: [], migrated: false }
  }
}

/** The origin may come from the command line. */
const SOMEWHERE = { origin: 'http://127.0.0.1' }

async function rewriteFile(file: string): Promise<void> {
  if (extname(file) !== '.json') {
    throw new CommandError(`config cannot rewrite ${file}: it is a program; write version: ${VERSION} there`)
  }
  const { options } = migrate(await readRaw(file))
  try {
    const { mode } = await stat(file)
    const fresh = `${file}.new`
    await writeFile(fresh, `${JSON.stringify(options, undefined, 2)}\n`, { mode })
    // In this order there is a whole file of that name at all times but for a moment, and then the old one is beside it.
    await rename(file, `${file}.old`)
    await rename(fresh, file)
  } catch (error) {
    throw new CommandError(`config cannot rewrite ${file}: ${messageOf(error)}`, { cause: error })
  }
}

function tell({ file, ok, version, problems, changes, migrated }: Report, console: Console): void {
  for (const problem of problems) console.stderr.write(`drey: ${problem}\n`)
  if (!ok) return
  console.stdout.write(`${file}: is right, version ${migrated ? VERSION : version}\n`)
  for (const change of changes) console.stdout.write(`${migrated ? 'rewritten' : 'outdated'}: ${change}\n`)
  if (changes.length > 0 && !migrated) console.stdout.write('--migrate rewrites it\n')
}
