import type { Advice, Recommendation } from '../metrics/advice/advice.js'
import { ADMIN_WHAT, type AdminClient, adminClient } from './admin-client.js'
import type { Console } from './console.js'
import { many } from './table.js'
import { CommandError, type Flags, readOperands, UsageError } from './usage.js'

const FLAGS = { json: { type: 'boolean' } } as const satisfies Flags

export const ADVICE_HELP = `drey advice: what a running proxy would do better, and with which option

Usage:
  drey advice ADMIN [--json]

It replays a sample of what was asked of the proxy against other policies and sizes of memory; looks at lifetimes, compression and buffers; and at options
that contradict each other or the machine. Nothing is changed.

${ADMIN_WHAT}

Options:
  --json   what cache.advice() gives, one object on standard output; numbers that JSON does not have are text: "Infinity"

Exit status: 0 done, whatever the advice; 1 it cannot be asked, or refuses; 2 the command line is wrong.

Examples:
  drey advice 9000
  drey advice /run/drey.sock --json
`

/** `drey advice`: resolves to the exit status. */
export async function adviceCommand(args: readonly string[], console: Console): Promise<number> {
  const { flags, operands } = readOperands(args, FLAGS)
  if (operands.length > 1) throw new UsageError('advice wants one ADMIN')
  const client = adminClient('advice', operands[0])
  const advice = await ask(client)
  const text = flags['json'] === true ? JSON.stringify(advice) : linesOf(advice).join('\n')
  console.stdout.write(`${text}\n`)
  return 0
}

async function ask(client: AdminClient): Promise<Advice> {
  const advice = (await client.get('/advice')) as Partial<Advice> | null
  if (Array.isArray(advice?.recommendations)) return advice as Advice
  throw new CommandError(`${client.name} does not answer as this version of drey does`)
}

function linesOf({ recommendations, requests }: Advice): string[] {
  const said = recommendations.flatMap(recommendationLines)
  const of = `of a sample of ${many(requests, 'request')}`
  return said.length === 0 ? [`nothing to recommend, ${of}`] : [`${of}:`, ...said]
}

function recommendationLines({ level, id, tier, message, change, gain, evidence }: Recommendation): string[] {
  const figures = Object.entries(evidence).map(([name, value]) => `${name} ${value}`)
  return [
    '',
    `${level} ${id}${tier === undefined ? '' : `, tier ${tier}`}: ${message}`,
    ...(change === undefined
      ? []
      : [
          `  change    ${change.option}: ${shown(change.from)} -> ${shown(change.to)}${change.live ? '' : ', with a restart'}`,
        ]),
    ...(gain === undefined ? [] : [`  gain      ${gain.figure}: ${short(gain.now)} -> ${short(gain.then)}`]),
    ...(figures.length === 0 ? [] : [`  evidence  ${figures.join(', ')}`]),
  ]
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function short(value: number): string {
  return `${Number(value.toFixed(3))}`
}
