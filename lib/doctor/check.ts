/** `ok`: nothing to do. `warning`: it works, but slower or with less than it could. `bad`: it does not work, or not safely. */
export type CheckLevel = 'ok' | 'warning' | 'bad'

/** What was looked at, and what of it. */
export interface Check {
  readonly name: string
  readonly level: CheckLevel
  /** What there is, in a sentence. */
  readonly says: string
  /** What to do about it; there when it is not ok. */
  readonly advice?: string
}

export interface DoctorReport {
  /** The worst of all checks. */
  readonly level: CheckLevel
  /** As given; undefined when none was. */
  readonly dir: string | undefined
  readonly checks: readonly Check[]
}

const LEVELS: readonly CheckLevel[] = ['ok', 'warning', 'bad']

/** The worst level of them; `ok` of none. */
export function worstOf(checks: readonly Check[]): CheckLevel {
  return LEVELS[Math.max(0, ...checks.map(({ level }) => LEVELS.indexOf(level)))]!
}

export function ok(name: string, says: string): Check {
  return { name, level: 'ok', says }
}

export function warning(name: string, says: string, advice: string): Check {
  return { name, level: 'warning', says, advice }
}

export function bad(name: string, says: string, advice: string): Check {
  return { name, level: 'bad', says, advice }
}
