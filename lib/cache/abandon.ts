import { z } from 'zod'
import { sizeOption } from '../config/schema.js'
import { parseSize, type Size } from '../config/units.js'

/*
 * What becomes of a fill that nobody waits for and nobody reads any more.
 */

export const abandonOption = z.union([
  z.enum(['finish', 'abort']),
  z
    .strictObject({
      /** Go on when at most so many bytes are missing, of a body of declared size. */
      finishIfWithin: sizeOption.optional(),
      /** Go on when at least this part of the body is there, in percent of its declared size: 0 to 100. */
      finishIfPercent: z.number().min(0).max(100).optional(),
    })
    .refine(
      ({ finishIfWithin, finishIfPercent }) => finishIfWithin !== undefined || finishIfPercent !== undefined,
      'want finishIfWithin, finishIfPercent, or both: then one of them is enough',
    ),
])

/** As `abandon` of a cache says. */
export type AbandonOption =
  | 'finish'
  | 'abort'
  | { readonly finishIfWithin?: Size | undefined; readonly finishIfPercent?: number | undefined }

/** Whether a fill goes on alone, of which `arrived` bytes are there, and of `declared` where the origin said how many there are. */
export type AbandonRule = (arrived: number, declared: number | undefined) => boolean

export const FINISH: AbandonRule = () => true
const ABORT: AbandonRule = () => false

/** The rule that a checked option is. */
export function abandonRule(option: AbandonOption): AbandonRule {
  if (option === 'finish') return FINISH
  if (option === 'abort') return ABORT
  const within = option.finishIfWithin === undefined ? -1 : parseSize(option.finishIfWithin)!
  const part = (option.finishIfPercent ?? Number.POSITIVE_INFINITY) / 100
  return (arrived, declared) =>
    declared !== undefined && (declared - arrived <= within || arrived >= declared * part)
}
