/*
 * What the page is told, as JSON in server-sent events. `history` comes first, then a `tick` each second; `window` when one of the longer windows has
 * something new, and `trouble` in place of a tick that could not be made. Numbers that there are not are null.
 */

/** The longer windows of time, and milliseconds of each. */
export const WINDOWS = {
  '10min': 600_000,
  '1h': 3_600_000,
  '1d': 86_400_000,
  '30d': 2_592_000_000,
} as const

export type WindowName = keyof typeof WINDOWS

/** How far back the live picture goes. */
export const LIVE_MS = 60_000

/** Seconds of the epoch at which a window of time ended, then a figure for each of `columns`. */
export type Line = readonly (number | null)[]

/** The event `history`. */
export interface HistoryMessage {
  readonly title: string
  /** What the numbers of a line are, the first after the time. `lib/metrics/health/details.ts` and `vitals.ts` say what each is. */
  readonly columns: readonly string[]
  readonly tiers: readonly string[]
  /** Labels of the categories of size, smallest first. */
  readonly sizes: readonly string[]
  readonly live: readonly Line[]
  readonly windows: Readonly<Record<WindowName, readonly Line[]>>
  /** What is shown beside the lines. */
  readonly state: DashboardState
}

/** The event `window`. */
export interface WindowMessage {
  readonly name: WindowName
  readonly lines: readonly Line[]
}

/** The event `tick`. */
export interface TickMessage {
  readonly line: Line
  readonly state: DashboardState
}

/** The event `trouble`. */
export interface TroubleMessage {
  readonly message: string
}

/** All that is shown of one moment beside the course of things. */
export interface DashboardState {
  /** Epoch milliseconds. */
  readonly at: number
  readonly process: { readonly pid: number; readonly uptime: number }
  readonly level: 'ok' | 'degraded' | 'failing'
  readonly alerts: readonly AlertState[]
  readonly totals: Totals
  readonly tiers: readonly TierState[]
  readonly pool: PoolState | null
  readonly pressure: PressureNow | null
  readonly origins: OriginsState
  readonly notStored: Readonly<Record<string, number>>
  readonly errors: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly topKeys: readonly TopKeyState[]
  readonly advice: AdviceState
  /** Whether anything is measured: without that there are neither times, nor history, nor top keys. */
  readonly measures: boolean
}

export interface AlertState {
  readonly id: string
  /** `failing`: who has others that serve should ask those. */
  readonly level: 'amber' | 'red' | 'failing'
  readonly message: string
  /** Epoch milliseconds. */
  readonly since: number
}

/** Since the cache was made, or now. */
export interface Totals {
  readonly hits: number
  readonly misses: number
  readonly joined: number
  readonly revalidated: number
  readonly stale: number
  readonly fills: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly leaks: number
  readonly filling: number
  readonly openBodies: number
  readonly refreshing: number
}

export interface TierState {
  readonly name: string
  readonly onDisk: boolean
  readonly policy: string | null
  readonly entries: number
  readonly bytes: number
  readonly maxBytes: number | null
  readonly evictions: number
  readonly expirations: number
  readonly corrupt: number
  readonly dropped: number
  readonly failures: number
  readonly queued: number
  readonly breaker: 'closed' | 'open' | 'half-open'
  /** How many times smaller values are than they were; null where nothing is compressed. */
  readonly compression: number | null
}

export interface PoolState {
  readonly enabled: boolean
  readonly heldBytes: number
  readonly maxBytes: number
  readonly hitRate: number
  readonly leaked: number
  /** Gets, by the way that was taken. */
  readonly strategies: { readonly pooled: number; readonly direct: number; readonly fallback: number }
  /** Gets by category of size. */
  readonly sizes: readonly { readonly size: string; readonly gets: number; readonly direct: number }[]
}

export interface PressureNow {
  readonly level: string
  /** The part of memory in use. */
  readonly ratio: number
  /** The part of their bounds that tiers may use. */
  readonly factor: number
  readonly ratios: Readonly<Record<string, number>>
}

export interface OriginsState {
  /** Those that are left alone first, and not more than a screen has room for. */
  readonly shown: readonly { readonly name: string; readonly breaker: string; readonly refused: number }[]
  readonly all: number
}

export interface TopKeyState {
  readonly key: string
  readonly requests: number
  readonly bytes: number
}

export interface AdviceState {
  /** Epoch milliseconds of when it was found; null while it was not. */
  readonly at: number | null
  readonly requests: number
  readonly recommendations: readonly RecommendationState[]
  /** Why there is none; null where there is. */
  readonly reason: string | null
}

export interface RecommendationState {
  readonly id: string
  readonly level: 'advice' | 'warning'
  readonly tier: string | null
  readonly message: string
  /** What is to be changed, and what that would do, in words; null where it says neither. */
  readonly change: string | null
  readonly gain: string | null
}
