import type { z } from 'zod'
import { bare, defaultOf, factsOf, type OptionFacts, optionsWithin, shapeOf } from './option.js'

/** One option of a schema. */
export interface Row {
  /** Within its schema: `timeouts.fill`. */
  readonly path: string
  readonly facts: OptionFacts
  readonly schema: z.ZodType
  readonly default: unknown
  /** It has options of its own, which follow. */
  readonly group: boolean
}

/** The options of `schema`, and of the groups in it. What a proxy and its cache are given, a file and its proxy, has rows of its own. */
export function rowsOf(schema: z.ZodObject, below = ''): Row[] {
  return Object.entries(shapeOf(schema) ?? {}).flatMap(([name, option]) => {
    const facts = factsOf(option)
    if (facts === undefined) throw new Error(`nothing is said of the option ${below}${name}`)
    const inner = bare(option)
    const group = optionsWithin(inner) === undefined && shapeOf(inner) !== undefined
    const row: Row = { path: `${below}${name}`, facts, schema: option, default: defaultOf(option), group }
    if (name === 'cache' || name === 'proxy' || !group) return [row]
    return [row, ...rowsOf(inner as z.ZodObject, `${below}${name}.`)]
  })
}
