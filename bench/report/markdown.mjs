import { showMachine } from '../shared/machine.mjs'
import { medianOf, ratioOf } from '../shared/record.mjs'
import { digits } from '../shared/table.mjs'

/*
 * Figures as Markdown: a table of the ratios that have a goal, and one of every figure.
 */

/** @param {{ machine: object, quick: boolean, at: string, suites: readonly object[] }} report */
export function markdownOf({ machine, quick, at, suites }) {
  const records = suites.flatMap((suite) => suite.records)
  return [
    `# Figures of ${at.slice(0, 10)}${quick ? ', quick' : ''}`,
    '',
    `${showMachine(machine)}. Contestants take turns in one run, a process each; a ratio is the median over the rounds of how many times as good the first is as the second, in brackets the middle half of the rounds.`,
    '',
    '## Goals',
    '',
    ...goalsOf(records),
    '',
    '## Figures',
    '',
    ...suites.flatMap(sectionOf),
    '## Claims',
    '',
    ...tableOf(
      ['', 'claim', 'found'],
      suites.flatMap(({ claims }) =>
        claims.map(({ what, actual, holds }) => [holds ? 'holds' : '**broken**', what, actual]),
      ),
    ),
    '',
  ].join('\n')
}

export function showRatio(record, of) {
  const { value, low, high } = ratioOf(record, of)
  return `${digits(value)} × (${digits(low)} to ${digits(high)})`
}

function goalsOf(records) {
  const rows = records.flatMap((record) =>
    record.ratios
      .filter(({ goal }) => goal !== undefined)
      .map(({ of, goal }) => [
        record.what,
        of.join(' ÷ '),
        showRatio(record, of),
        `${goal} ×`,
        ratioOf(record, of).value >= goal ? 'reached' : 'missed',
      ]),
  )
  return tableOf(['what', 'ratio', 'found', 'goal', ''], rows)
}

function sectionOf({ name, command, seconds, failed, records }) {
  const head = [`### ${name}`, '', `\`${command}\`, ${Math.round(seconds)} s`, '']
  if (failed !== undefined) return [...head, `Failed: ${failed}`, '']
  return [
    ...head,
    ...tableOf(
      ['what', 'contestants', 'ratios'],
      records.map((record) => [
        `${record.what}, ${record.unit}`,
        Object.keys(record.samples)
          .map((contestant) => `${contestant} ${digits(medianOf(record, contestant))}`)
          .join('; '),
        record.ratios.map(({ of }) => `${of.join(' ÷ ')} ${showRatio(record, of)}`).join('; '),
      ]),
    ),
    '',
  ]
}

function tableOf(head, rows) {
  if (rows.length === 0) return ['none']
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}
