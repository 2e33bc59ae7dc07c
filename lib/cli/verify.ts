import { showSize } from '../config/units.js'
import { messageOf } from '../errors.js'
import { jsonOf } from '../http/admin/json.js'
import { DAMAGE_KINDS, MOST_LISTED, type VerifyReport } from '../store/file/verify/report.js'
import { verifyDirectory } from '../store/file/verify/verify.js'
import type { Console } from './console.js'
import { createProgress } from './progress.js'
import { many } from './table.js'
import { CommandError, type Flags, readOperands, UsageError } from './usage.js'

const FLAGS = { repair: { type: 'boolean' }, json: { type: 'boolean' } } as const satisfies Flags

export const VERIFY_HELP = `drey verify: looks through a directory of the file store that nobody has open

Usage:
  drey verify DIR [--repair] [--json]

Reads its header, the image of its index, every record of the log and every chunk of every value, and compares what it reads
with the checksums. Without --repair nothing in it changes.

Options:
  --repair   drop what is damaged, remove what is left over, and close it cleanly
  --json     one object on standard output

Exit status: 0 nothing is damaged, 1 something is, or was until it was repaired, 2 it cannot be looked at: it is no directory of
drey's, somebody has it open, or it has a newer format.

Examples:
  drey verify /var/cache/app
  drey verify /var/cache/app --repair
`

/** `drey verify`: resolves to the exit status. */
export async function verifyCommand(args: readonly string[], console: Console): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  const [dir] = operands
  if (dir === undefined || operands.length > 1) throw new UsageError('verify wants one DIR')
  const progress = createProgress(console.stderr)
  let report: VerifyReport
  try {
    report = await verifyDirectory(dir, { repair: flags['repair'] === true, onProgress: progress.at })
  } catch (error) {
    const why = messageOf(error).replace(/^fileStore\.dir: /, '')
    throw new CommandError(`verify cannot look at it: ${why}`, { cause: error, status: 2 })
  } finally {
    progress.end()
  }
  const lines = flags['json'] === true ? [jsonOf({ dir, ...report })] : linesOf(dir, report)
  console.stdout.write(`${lines.join('\n')}\n`)
  return isDamaged(report) ? 1 : 0
}

function isDamaged({ counts }: VerifyReport): boolean {
  return DAMAGE_KINDS.some((kind) => counts[kind] > 0)
}

function linesOf(dir: string, report: VerifyReport): string[] {
  const { segments, records, entries, blobs, bytes, closed, damages, leftovers, strange } = report
  return [
    `${dir}: ${many(segments, 'segment')}, ${many(records, 'record')}, ${many(entries, 'entry')}, ${many(blobs, 'blob')}, ${showSize(bytes)}`,
    closed ? 'it was closed cleanly' : 'it was not closed cleanly: the next open reads the log',
    ...damages.map(({ kind, file, offset, what }) => `damaged: ${kind} ${file} at ${offset}: ${what}`),
    ...leftovers.map(({ file, what }) => `left over: ${file}: ${what}`),
    ...strange.map((name) => `not drey's: ${JSON.stringify(name)}`),
    verdict(report),
  ]
}

function verdict(report: VerifyReport): string {
  const { counts, unsound, repaired } = report
  const tidied = repaired ? '; what was left over is removed' : ''
  if (!isDamaged(report)) return `nothing is damaged${tidied}`
  const kinds = DAMAGE_KINDS.filter((kind) => counts[kind] > 0).map((kind) => `${counts[kind]} ${kind}`)
  const all = DAMAGE_KINDS.reduce((sum, kind) => sum + counts[kind], 0)
  const listed = all > MOST_LISTED ? `, of which ${MOST_LISTED} are listed` : ''
  const text = `${many(all, 'damage')} (${kinds.join(', ')})${listed}; ${many(unsound, 'entry')} cannot be given any more`
  return repaired ? `${text}: dropped` : `${text}: --repair drops what is damaged`
}
