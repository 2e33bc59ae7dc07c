/*
 * `drey/dashboard`: the dashboard of a cache, for a server of the user's own.
 */

import type { Cache } from '../../cache/cache.js'
import { type Clock, systemClock } from '../../clock.js'
import { anywhere, createAccess, thisMachine } from './access.js'
import { type Dashboard, dashboardWith } from './dashboard.js'
import { type DashboardOptions, readDashboardOptions } from './options.js'

export type { Dashboard } from './dashboard.js'
export type { DashboardOptions } from './options.js'

/**
 * The dashboard of `cache`, to be asked by a server of yours: `if (dashboard.handle(req, res)) return`. docs/reference/dashboard.md has it for Express and
 * Fastify, too. Nothing is done for it while nobody looks on. Close it before its server: the streams of who looks on keep their connections.
 *
 * @throws `ERR_DREY_CONFIG` for what is no cache of this package, and for an option that is wrong
 */
export function createDashboard(cache: Cache, options: DashboardOptions = {}): Dashboard {
  return createDashboardWith(cache, options, systemClock)
}

/** As `createDashboard`, with the clock given. @internal */
export function createDashboardWith(cache: Cache, options: DashboardOptions, clock: Clock): Dashboard {
  const { token, base, title } = readDashboardOptions(options)
  const access = createAccess(token === undefined ? thisMachine : anywhere, token, clock)
  return dashboardWith(cache, { base, title, access, clock })
}
