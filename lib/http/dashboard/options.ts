import { z } from 'zod'
import { validate } from '../../config/validate.js'
import { assertToken } from '../admin/options.js'

/** Options of `createDashboard`. */
export interface DashboardOptions {
  /**
   * What who looks has to bring along: at least 16 characters of ASCII, as `Authorization: Bearer TOKEN`, or typed into the form that a browser is shown. Default:
   * none; then this machine alone is answered.
   */
  readonly token?: string | undefined
  /** The path of the page, as `req.url` has it. Its events are below it. Default `'/dashboard'`. */
  readonly base?: string | undefined
  /** What it is called, in its head and in the browser's tab. Default `'cache'`. */
  readonly title?: string | undefined
}

const dashboardOptions = z.strictObject({
  token: z.string().optional(),
  base: z
    .string()
    .regex(/^\/[\w\-.~/]*$/, "want a path such as '/dashboard', or '/' for the root")
    .default('/dashboard'),
  title: z.string().min(1).max(100).default('cache'),
})

/** Options that are right. */
export interface DashboardConfig {
  readonly token: string | undefined
  /** Without a slash at its end: '' for the root. */
  readonly base: string
  readonly title: string
}

/** @throws `ERR_DREY_CONFIG` for an option that is wrong */
export function readDashboardOptions(given: DashboardOptions): DashboardConfig {
  const { token, base, title } = validate(dashboardOptions, given, 'dashboard')
  if (token !== undefined) assertToken(token, 'dashboard.token')
  return { token, base: base.replace(/\/+$/, ''), title }
}
