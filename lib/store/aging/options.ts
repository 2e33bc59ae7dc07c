import { z } from 'zod'
import { option } from '../../config/option.js'
import { limitOption } from '../../config/schema.js'

/** Why a tier that has no ttl cannot get one, nor another. */
export const TTL_STAYS = 'what a tier has says when it came there only where the tier was made with a ttl'

/** What a tier as data may say of itself, beside the options of its store. */
export const agingOptions = z.strictObject({
  /**
   * How long the tier answers by itself with what came there; then the tiers below are asked, and the origin. Default: as long as what it has is
   * fresh.
   */
  ttl: option(
    'How long the tier answers by itself with what came there; then the tiers below are asked, and the origin.',
    limitOption,
    { otherwise: 'as long as what it has is fresh', unit: 'ms', live: TTL_STAYS },
  ),
})
