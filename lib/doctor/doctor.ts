import { type DoctorReport, worstOf } from './check.js'
import { directoryChecks } from './directory.js'
import { limitChecks } from './limits.js'
import { type Machine, thisMachine } from './machine.js'
import { runtimeChecks } from './runtime.js'

export interface DoctorOptions {
  /** Of a file store, there or to be made. */
  readonly dir?: string | undefined
  /** Its `maxBytes`. */
  readonly bound?: number | undefined
}

/** Looks at what drey runs on. Never rejects: what cannot be looked at is a check that says so. */
export async function examine(
  { dir, bound }: DoctorOptions,
  machine: Machine = thisMachine(),
): Promise<DoctorReport> {
  const checks = [...runtimeChecks(machine), ...limitChecks(machine)]
  if (dir !== undefined) checks.push(...(await directoryChecks(machine, dir, bound)))
  return { level: worstOf(checks), dir, checks }
}
