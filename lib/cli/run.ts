import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.js'
import { ADVICE_HELP, adviceCommand } from './advice.js'
import { CONFIG_HELP, configCommand } from './config.js'
import type { Console } from './console.js'
import { DOCTOR_HELP, doctorCommand } from './doctor.js'
import { INSPECT_HELP, inspectCommand } from './inspect.js'
import { PROXY_HELP, proxyCommand } from './proxy.js'
import { PURGE_HELP, purgeCommand } from './purge.js'
import { STATS_HELP, statsCommand } from './stats.js'
import { TOP_HELP, topCommand } from './top.js'
import { CommandError, UsageError } from './usage.js'
import { VERIFY_HELP, verifyCommand } from './verify.js'

interface Command {
  readonly help: string
  /** Resolves when the command is done, to its exit status. */
  readonly run: (args: readonly string[], console: Console) => Promise<number>
}

const COMMANDS: ReadonlyMap<string, Command> = new Map([
  ['advice', { help: ADVICE_HELP, run: adviceCommand }],
  ['config', { help: CONFIG_HELP, run: configCommand }],
  ['doctor', { help: DOCTOR_HELP, run: doctorCommand }],
  ['inspect', { help: INSPECT_HELP, run: inspectCommand }],
  ['proxy', { help: PROXY_HELP, run: proxyCommand }],
  ['purge', { help: PURGE_HELP, run: purgeCommand }],
  ['stats', { help: STATS_HELP, run: statsCommand }],
  ['top', { help: TOP_HELP, run: topCommand }],
  ['verify', { help: VERIFY_HELP, run: verifyCommand }],
])

const HELP = `drey: a streaming cache of bytes

Usage:
  drey proxy --origin URL [options]   a caching HTTP proxy in front of one origin
  drey stats ADMIN [--json]           what a running proxy counts
  drey top ADMIN                      what it does, second by second
  drey advice ADMIN [--json]          what would do better if it were otherwise
  drey purge ADMIN KEY...             has it remove entries: by key, --prefix, --tag, or --all
  drey config check [FILE]            looks at a configuration file
  drey doctor [DIR]                   whether this machine has what drey wants
  drey inspect DIR [KEY]              lists a directory of the file store, or an entry in it
  drey verify DIR [--repair]          looks through a directory of the file store
  drey COMMAND --help                 what a command takes
  drey --version

Examples:
  drey proxy --origin https://example.org --listen 8080
  drey proxy --origin http://127.0.0.1:3000 --listen 0.0.0.0:8080 --memory 2GiB --ttl 1m
  drey verify /var/cache/drey
`

/** Runs a command line; resolves to the exit status: what the command says (0: done), 1 when the work failed, 2 when the command line is wrong. */
export async function run(args: readonly string[], console: Console): Promise<number> {
  const [name, ...rest] = args
  try {
    if (name === '--version' || name === '-v') {
      console.stdout.write(`${version()}\n`)
    } else if (name === '--help' || name === '-h' || name === 'help') {
      console.stdout.write(HELP)
    } else {
      return await runCommand(name, rest, console)
    }
    return 0
  } catch (error) {
    const wrong = error instanceof UsageError || error instanceof ConfigError
    const help = name !== undefined && COMMANDS.has(name) ? `drey ${name} --help` : 'drey --help'
    const lines = linesOf(error).map((line) => `drey: ${line}`)
    console.stderr.write(`${lines.join('\n')}${wrong ? `; see ${help}` : ''}\n`)
    if (error instanceof CommandError) return error.status
    return wrong ? 2 : 1
  }
}

async function runCommand(
  name: string | undefined,
  args: readonly string[],
  console: Console,
): Promise<number> {
  const command = name === undefined ? undefined : COMMANDS.get(name)
  if (command === undefined) {
    const known = [...COMMANDS.keys()].join(', ')
    throw new UsageError(
      name === undefined ? `want a command: ${known}` : `no such command: ${name}; known: ${known}`,
    )
  }
  if (args.includes('--help') || args.includes('-h')) {
    console.stdout.write(command.help)
    return 0
  }
  return command.run(args, console)
}

/** One for each mistake of the options, else one. */
function linesOf(error: unknown): string[] {
  const text = error instanceof Error ? error.message : String(error)
  const said = error instanceof CommandError || error instanceof UsageError || error instanceof ConfigError
  const several = error instanceof ConfigError || (error as Error).cause instanceof ConfigError
  const lines = several ? text.split('\n') : [text]
  return lines.map((line) => (said ? line : `unexpected: ${line}`).replace(/\s+/g, ' '))
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { readonly version: string }).version
}
