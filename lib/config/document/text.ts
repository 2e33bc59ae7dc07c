import type { OptionFacts } from '../option.js'
import { parseDuration, parseSize, showDuration, showSize } from '../units.js'

/** What holds where an option is not given, as a sentence; empty where it has to be given. */
export function defaultSentence(facts: OptionFacts, value: unknown): string {
  if (facts.otherwise !== undefined) return `Default: ${facts.otherwise}.`
  return value === undefined ? '' : `Default ${showDefault(facts, value)}.`
}

/** A default value for people. */
export function showDefault({ unit }: OptionFacts, value: unknown): string {
  if (unit === 'bytes') return showSize(parseSize(value)!)
  if (unit === 'ms') {
    const ms = parseDuration(value)!
    return Number.isFinite(ms) && ms > 0 ? showDuration(ms) : `\`${ms}\``
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, one]) => `${name}: ${String(one)}`)
    return `\`{ ${members.join(', ')} }\``
  }
  return typeof value === 'string' ? `\`'${value}'\`` : `\`${String(value)}\``
}
