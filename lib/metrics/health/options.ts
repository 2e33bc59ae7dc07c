import { z } from 'zod'
import { option, orOptions } from '../../config/option.js'
import { type Limits, limitsOption, type WindowId } from './rules.js'

const LIVE = 'what watches is made when the cache opens'
const windows = z.int().min(1).max(1000)

export const alertOptions = z.strictObject({
  /** Windows of 10 s in a row that raise an alert: 1 to 1000. Corruption and errors of a disk raise it with the first. Default `3`. */
  raiseAfter: option(
    'Windows of 10 s in a row that raise an alert: 1 to 1000. Corruption and errors of a disk raise it with the first.',
    windows,
    { default: 3, live: LIVE },
  ),
  /** Windows of 10 s in a row that clear it: 1 to 1000. Default `6`. */
  clearAfter: option('Windows of 10 s in a row that clear it: 1 to 1000.', windows, {
    default: 6,
    live: LIVE,
  }),
  /** How far the hit ratio is below its mean of the hour before, of 1. Default `{ amber: 0.1, red: 0.3 }`. */
  hitRatio: option('How far the hit ratio is below its mean of the hour before, of 1.', limitsOption, {
    default: { amber: 0.1, red: 0.3 },
    live: LIVE,
  }),
  /** How many times its mean of the hour before the 99th percentile of answers takes. Default `{ amber: 3, red: 10 }`. */
  p99: option(
    'How many times its mean of the hour before the 99th percentile of answers takes.',
    limitsOption,
    {
      default: { amber: 3, red: 10 },
      live: LIVE,
    },
  ),
  /** The share of calls that fail, of 1. Default `{ amber: 0.01, red: 0.5 }`. */
  errors: option('The share of calls that fail, of 1.', limitsOption, {
    default: { amber: 0.01, red: 0.5 },
    live: LIVE,
  }),
  /** Values that a tier below did not get, in a window. Default `{ amber: 1, red: 1000 }`. */
  dropped: option('Values that a tier below did not get, in a window.', limitsOption, {
    default: { amber: 1, red: 1000 },
    live: LIVE,
  }),
  /** Entries that a disk gave otherwise than they were written, in a window. Default `{ amber: 1, red: 10 }`. */
  corruption: option(
    'Entries that a disk gave otherwise than they were written, in a window.',
    limitsOption,
    {
      default: { amber: 1, red: 10 },
      live: LIVE,
    },
  ),
  /** Calls of the system for a disk that failed, in a window. Default `{ amber: 1, red: 100 }`. */
  diskErrors: option('Calls of the system for a disk that failed, in a window.', limitsOption, {
    default: { amber: 1, red: 100 },
    live: LIVE,
  }),
  /** The part of what a tier on a disk may have for which the disk has no room, `minFree` left aside, of 1. Default `{ amber: 0.05, red: 0.5 }`. */
  diskRoom: option(
    'The part of what a tier on a disk may have for which the disk has no room, `minFree` left aside, of 1.',
    limitsOption,
    { default: { amber: 0.05, red: 0.5 }, live: LIVE },
  ),
  /** Values that tiers on disks refused for want of room, in a window. Default `{ amber: 1, red: 1000 }`. */
  diskRefusals: option('Values that tiers on disks refused for want of room, in a window.', limitsOption, {
    default: { amber: 1, red: 1000 },
    live: LIVE,
  }),
})

/** Option `alerts` of `createCache`. */
export type AlertsOption = boolean | z.input<typeof alertOptions>

/** Of `createCache`. */
export const alertsOption = option(
  'Which changes the event `alert` tells of: `true`, or thresholds of your own. `false`: none; `health()` knows tiers and origins that are down, and memory pressure. With `metrics: false` there are no windows, so no more is looked for.',
  orOptions<AlertsOption>(
    alertOptions,
    (value) => typeof value === 'boolean',
    'want true, false, or options such as { errors: { amber: 0.05, red: 0.5 } }',
    { type: 'boolean' },
  ),
  { default: true, live: LIVE },
)

/** What alerts go by. */
export interface AlertsConfig {
  readonly enabled: boolean
  readonly raiseAfter: number
  readonly clearAfter: number
  readonly limits: Readonly<Record<WindowId, Limits>>
}

/** Of an option that is right. */
export function readAlerts(given: AlertsOption): AlertsConfig {
  const { raiseAfter, clearAfter, ...limits } = alertOptions.parse(typeof given === 'boolean' ? {} : given)
  return {
    enabled: given !== false,
    raiseAfter,
    clearAfter,
    limits: {
      'hit-ratio': limits.hitRatio,
      p99: limits.p99,
      errors: limits.errors,
      dropped: limits.dropped,
      corruption: limits.corruption,
      'disk-errors': limits.diskErrors,
      'disk-room': limits.diskRoom,
      'disk-refusals': limits.diskRefusals,
    },
  }
}
