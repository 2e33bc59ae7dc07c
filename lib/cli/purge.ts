import type { PurgeReport, PurgeRequest } from '../http/admin/purge.js'
import { ADMIN_WHAT, adminClient } from './admin-client.js'
import type { Console } from './console.js'
import { type Flags, readOperands, UsageError } from './usage.js'

const FLAGS = {
  prefix: { type: 'string' },
  tag: { type: 'string', multiple: true },
  soft: { type: 'boolean' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
} as const satisfies Flags

export const PURGE_HELP = `drey purge: has a running proxy remove what it keeps

Usage:
  drey purge ADMIN KEY...
  drey purge ADMIN --prefix TEXT
  drey purge ADMIN --tag TAG [--tag TAG]... [--soft]
  drey purge ADMIN --all

${ADMIN_WHAT}
A KEY of a proxy is the path with its query, a space, and the host as clients ask for it, with its port: '/a?b=1 example.org:8080'.

Options:
  --prefix TEXT   all keys that begin with TEXT: a scan, which goes through every entry there is, and takes its time
  --tag TAG       all entries that have the tag; may be given more than once
  --soft          with --tag: they become stale, and may still answer as stale ones do
  --all           everything; a prefix that every entry has is refused without it
  --json          one object on standard output: by, purged, scanned

Exit status: 0 done, also where nothing was there, 1 it cannot be asked, or refuses, 2 the command line is wrong.

Examples:
  drey purge 9000 '/index.html example.org'
  drey purge /run/drey.sock --prefix /images/
  drey purge /run/drey.sock --tag product-17 --soft
`

/** `drey purge`: resolves to the exit status. */
export async function purgeCommand(args: readonly string[], console: Console): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  const [admin, ...keys] = operands
  const client = adminClient('purge', admin)
  const report = (await client.post('/purge', requestOf(flags, keys))) as PurgeReport
  console.stdout.write(`${flags['json'] === true ? JSON.stringify(report) : lineOf(report)}\n`)
  return 0
}

type GivenFlags = ReturnType<typeof readOperands>['flags']

function requestOf({ prefix, tag, soft, all }: GivenFlags, keys: readonly string[]): PurgeRequest {
  const ways = [keys.length > 0, prefix !== undefined, tag !== undefined, all === true]
  if (ways.filter(Boolean).length !== 1) {
    throw new UsageError('purge wants one of: KEY..., --prefix TEXT, --tag TAG, --all')
  }
  if (soft === true && tag === undefined) throw new UsageError('purge: --soft goes with --tag')
  if (tag !== undefined) return { tags: tag as readonly string[], soft: soft === true }
  if (all === true) return { all: true }
  if (prefix === undefined) return { keys }
  if (prefix === '')
    throw new UsageError('purge: every key begins with an empty --prefix; want --all for that')
  return { prefix: String(prefix) }
}

function lineOf({ by, purged = 0, scanned = 0 }: PurgeReport): string {
  const entries = `${purged.toLocaleString('en-US')} ${purged === 1 ? 'entry' : 'entries'}`
  if (by === 'all') return 'purged everything'
  if (by === 'tags') return 'purged by tag: what has it is not given any more'
  if (by === 'keys') return `purged ${entries}`
  return `purged ${entries} of ${scanned.toLocaleString('en-US')} that were scanned`
}
