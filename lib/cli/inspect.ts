import { showSize } from '../config/units.js'
import { messageOf } from '../errors.js'
import { jsonOf } from '../http/admin/json.js'
import { type InspectedEntry, type InspectReport, inspectDirectory } from '../store/file/verify/inspect.js'
import type { Console } from './console.js'
import { many, showCount, tableOf } from './table.js'
import { CommandError, type Flags, readOperands, UsageError } from './usage.js'

const FLAGS = { json: { type: 'boolean' } } as const satisfies Flags

export const INSPECT_HELP = `drey inspect: lists a directory of the file store, and an entry in it

Usage:
  drey inspect DIR [KEY] [--json]

Reads what an open would read, takes no lock and writes nothing. While somebody has DIR open it says so, and what was there a moment ago.
It does not read values: drey verify does.

Options:
  --json   one object on standard output; a time without end is the text "Infinity"

Exit status: 0 done, 1 there is no KEY, or it is damaged, 2 it cannot be looked at, or the command line is wrong.

Examples:
  drey inspect /var/cache/app
  drey inspect /var/cache/app '/index.html example.org'
`

/** `drey inspect`: resolves to the exit status. */
export async function inspectCommand(args: readonly string[], console: Console): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  const [dir, key, ...more] = operands
  if (dir === undefined || more.length > 0) throw new UsageError('inspect wants DIR [KEY]')
  const report = await inspectDirectory(dir, key).catch((error: unknown) => {
    const why = messageOf(error).replace(/^fileStore\.dir: /, '')
    throw new CommandError(`inspect cannot look at it: ${why}`, { cause: error, status: 2 })
  })
  const lines = flags['json'] === true ? [jsonOf(report)] : linesOf(report, key)
  console.stdout.write(`${lines.join('\n')}\n`)
  return key === undefined || typeof report.entry === 'object' ? 0 : 1
}

function linesOf(report: InspectReport, key: string | undefined): string[] {
  const { dir, entries, blobs, bytes, owner, closed } = report
  const state =
    owner ??
    (closed ? 'nobody has it open; it was closed cleanly' : 'nobody has it open; it was not closed cleanly')
  const head = [`${dir}: ${many(entries, 'entry')}, ${many(blobs, 'blob')}, ${showSize(bytes)}`, state]
  if (key === undefined) return [...head, ...filesOf(report)]
  const { entry } = report
  if (entry === undefined) return [...head, `there is no ${JSON.stringify(key)}`]
  if (entry === 'damaged')
    return [...head, `${JSON.stringify(key)} is damaged: what lies there is not what was written`]
  return [...head, ...entryLines(entry)]
}

function filesOf({ segments, partitions, madeAt, formatVersion }: InspectReport): string[] {
  const rows = segments.map(({ file, bytes, entries, entryBytes }) => [
    file,
    showSize(bytes),
    showCount(entries),
    showSize(entryBytes),
  ])
  const folders = partitions.map(({ folder, files, bytes }) => [folder, showCount(files), showSize(bytes)])
  return [
    `format ${formatVersion}, made ${new Date(madeAt).toISOString()}`,
    ...(rows.length === 0 ? [] : ['', ...tableOf([['segment', 'bytes', 'entries', 'in use'], ...rows])]),
    ...(folders.length === 0 ? [] : ['', ...tableOf([['partition', 'files', 'bytes'], ...folders])]),
  ]
}

function entryLines(entry: InspectedEntry): string[] {
  const { key, file, offset, sequence, size, storedBytes, chunks, chunkBytes, blob, inDoubt, metadata } =
    entry
  const { etag, negative, tags, user } = metadata
  const rows: Array<readonly [string, string]> = [
    ['key', JSON.stringify(key)],
    ['record', `${file} at ${offset}, sequence ${sequence}`],
    ['value', `${blob ?? 'in the record'}, ${chunks} of ${showSize(chunkBytes)} at most`],
    ['size', `${size} bytes, ${storedBytes} stored`],
    ...(['cachedAt', 'freshUntil', 'staleUntil', 'staleIfErrorUntil'] as const).map(
      (name) => [name, timeText(metadata[name])] as const,
    ),
    ['etag', etag ?? '-'],
    ['tags', tags.length === 0 ? '-' : tags.map((tag) => JSON.stringify(tag)).join(' ')],
    ['negative', String(negative)],
    ['in doubt', inDoubt ? 'yes: to be revalidated' : 'no'],
    ['user', user === undefined ? '-' : JSON.stringify(user)],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`)
}

function timeText(at: number): string {
  return Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : 'for ever'
}
