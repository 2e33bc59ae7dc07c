import { parseSize, SIZE_FORMS } from '../config/units.js'
import type { Check, CheckLevel, DoctorReport } from '../doctor/check.js'
import { examine } from '../doctor/doctor.js'
import { jsonOf } from '../http/admin/json.js'
import type { Console } from './console.js'
import { many } from './table.js'
import { type Flags, readOperands, UsageError } from './usage.js'

const FLAGS = { json: { type: 'boolean' }, disk: { type: 'string' } } as const satisfies Flags

const STATUS: Readonly<Record<CheckLevel, number>> = { ok: 0, bad: 1, warning: 3 }

export const DOCTOR_HELP = `drey doctor: whether this machine has what drey wants, and what to do where it has not

Usage:
  drey doctor [DIR] [--disk SIZE] [--json]

Looks at Node, the addon, the processor, packages that need not be there, and the limits of this process. With DIR also at the file
system there: its kind, its room, and whether the calls that a file store makes work. For that it writes a few small files into DIR, or
its parent where there is no DIR yet, and removes them; what a store has there is only counted, and it may be open.

Options:
  --disk SIZE   the bound that the store in DIR is to have: whether there is room for it
  --json        one object on standard output

Exit status: 0 all is well, 1 something does not work, 2 the command line is wrong, 3 it works, with less than it could.

Examples:
  drey doctor
  drey doctor /var/cache/app --disk 20GiB
`

/** `drey doctor`: resolves to the exit status. */
export async function doctorCommand(args: readonly string[], console: Console): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  const [dir] = operands
  if (operands.length > 1 || dir === '') throw new UsageError('doctor wants one DIR, or none')
  const { disk } = flags
  const bound = disk === undefined ? undefined : parseSize(disk)
  if (disk !== undefined && bound === undefined) {
    throw new UsageError(`--disk: got ${JSON.stringify(disk)}; want ${SIZE_FORMS}`)
  }
  if (bound !== undefined && dir === undefined) throw new UsageError('--disk is of a DIR, which is missing')
  const report = await examine({ dir, bound })
  const lines = flags['json'] === true ? [jsonOf(report)] : linesOf(report)
  console.stdout.write(`${lines.join('\n')}\n`)
  return STATUS[report.level]
}

function linesOf({ checks }: DoctorReport): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length))
  const lines = checks.flatMap(({ level, name, says, advice }) => [
    `${level.padEnd(7)}  ${name.padEnd(width)}  ${says}`,
    ...(advice === undefined ? [] : [`${' '.repeat(11 + width)}-> ${advice}`]),
  ])
  return [...lines, verdict(checks)]
}

function verdict(checks: readonly Check[]): string {
  const bads = checks.filter(({ level }) => level === 'bad').length
  const warnings = checks.filter(({ level }) => level === 'warning').length
  if (bads + warnings === 0) return 'all is well'
  const parts = [...(bads > 0 ? [`${bads} bad`] : []), ...(warnings > 0 ? [many(warnings, 'warning')] : [])]
  return parts.join(', ')
}
