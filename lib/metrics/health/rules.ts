import { checked } from '../../config/option.js'
import type { History } from './history.js'
import type { VitalRow } from './vitals.js'

/** Looked for in each window of time. */
export const WINDOW_IDS = [
  'hit-ratio',
  'p99',
  'errors',
  'dropped',
  'corruption',
  'disk-errors',
  'disk-room',
  'disk-refusals',
] as const

export type WindowId = (typeof WINDOW_IDS)[number]

/** Known at once: breakers and the pressure detector have a patience of their own. */
export const STATE_IDS = ['pressure', 'tier-down', 'origin-down'] as const

export type StateId = (typeof STATE_IDS)[number]

/** What an alert, or a reason of `health()`, is about. docs/reference/health.md says of each what it means. */
export type AlertId = WindowId | StateId

/** From which values on an alert is amber, and red. */
export interface Limits {
  readonly amber: number
  readonly red: number
}

export const limitsOption = checked<Limits>(
  (value) => {
    const { amber, red, ...rest } = (value ?? {}) as Record<string, unknown>
    return isLimit(amber) && isLimit(red) && amber <= red && Object.keys(rest).length === 0
      ? undefined
      : 'want { amber, red }, two numbers more than 0, the first not greater than the second'
  },
  {
    type: 'object',
    properties: {
      amber: { type: 'number', exclusiveMinimum: 0 },
      red: { type: 'number', exclusiveMinimum: 0 },
    },
    required: ['amber', 'red'],
    additionalProperties: false,
  },
)

function isLimit(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}

/** What the windows are compared with. */
const BEFORE_MS = 3_600_000
/** A share of fewer calls than that in a window is chance. */
const LEAST_CALLS = 50

/** How the figure of an alert is found in a window that ended; undefined where it says nothing. */
export interface Rule {
  readonly id: WindowId
  /** One window raises it: what it counts should never be. */
  readonly atOnce?: true
  read(row: VitalRow, before: History, now: number, seconds: number): number | undefined
  describe(value: number): string
}

const percent = (value: number): string => `${(value * 100).toFixed(1)} %`

export const RULES: readonly Rule[] = [
  {
    id: 'hit-ratio',
    read: ({ hitRatio, requests }, before, now, seconds) => {
      if (requests * seconds < LEAST_CALLS) return undefined
      return known(before.mean('hitRatio', now, BEFORE_MS) - hitRatio)
    },
    describe: (value) =>
      `the hit ratio is ${percent(value)} of all answers below its mean of the hour before`,
  },
  {
    id: 'p99',
    read: ({ p99, requests }, before, now, seconds) => {
      if (requests * seconds < LEAST_CALLS) return undefined
      return known(p99 / before.mean('p99', now, BEFORE_MS))
    },
    describe: (value) =>
      `the 99th percentile of answers takes ${value.toFixed(1)} times its mean of the hour before`,
  },
  {
    id: 'errors',
    read: ({ errors, requests }, _, __, seconds) => {
      if (Number.isNaN(errors)) return undefined
      // Of calls that all fail nothing is answered.
      return requests * seconds < LEAST_CALLS && errors < 0.5 ? undefined : errors
    },
    describe: (value) => `${percent(value)} of calls fail`,
  },
  {
    id: 'dropped',
    read: ({ dropped }) => dropped,
    describe: (value) => `${value} values were not written to a tier below in one window`,
  },
  {
    id: 'corruption',
    atOnce: true,
    read: ({ corruptions }) => corruptions,
    describe: (value) => `${value} entries of a disk were not what was written there`,
  },
  {
    id: 'disk-errors',
    atOnce: true,
    read: ({ diskErrors }) => diskErrors,
    describe: (value) => `${value} calls of the system for a disk failed in one window`,
  },
  {
    // That a tier is full is how it should be; that it cannot become as large as it may is not.
    id: 'disk-room',
    read: ({ diskShort }) => known(diskShort),
    describe: (value) => `a disk has no room for ${percent(value)} of what its tier may have`,
  },
  {
    id: 'disk-refusals',
    read: ({ roomRefusals }) => roomRefusals,
    describe: (value) => `${value} values were refused in one window, because a disk had no room for them`,
  },
]

function known(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}
