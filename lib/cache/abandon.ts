import { z } from 'zod'
import { option, orOptions } from '../config/option.js'
import { sizeOption } from '../config/schema.js'
import { parseSize, type Size } from '../config/units.js'

/*
 * What becomes of a fill that nobody waits for and nobody reads any more.
 */

export const abandonOptions = z
  .strictObject({
    /** Go on when at most so many bytes are missing, of a body of declared size. Default: never for that. */
    finishIfWithin: option(
      'Go on when at most so many bytes are missing, of a body of declared size.',
      sizeOption,
      { otherwise: 'never for that', unit: 'bytes', live: true },
    ),
    /** Go on when at least this part of the body is there, in percent of its declared size: 0 to 100. Default: never for that. */
    finishIfPercent: option(
      'Go on when at least this part of the body is there, in percent of its declared size: 0 to 100.',
      z.number().min(0).max(100),
      { otherwise: 'never for that', live: true },
    ),
  })
  .refine(
    ({ finishIfWithin, finishIfPercent }) => finishIfWithin !== undefined || finishIfPercent !== undefined,
    'want finishIfWithin, finishIfPercent, or both: then one of them is enough',
  )

export const abandonOption = orOptions<AbandonOption>(
  abandonOptions,
  (value) => value === 'finish' || value === 'abort',
  'want one of "finish", "abort", or an object of options such as { finishIfWithin: \'1MiB\' }',
  { enum: ['finish', 'abort'] },
)

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
