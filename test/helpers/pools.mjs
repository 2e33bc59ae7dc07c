/*
 * `npm run test:pool [-- VITEST ARGUMENTS]`: the tests of the cache and the proxy, without a buffer pool and over one in debug mode.
 */
import { spawnSync } from 'node:child_process'

const PLACES = ['test/unit/cache', 'test/unit/http']
const arguments_ = ['vitest', 'run', ...PLACES, ...process.argv.slice(2)]

let status = 0
for (const pool of ['off', 'debug']) {
  process.stdout.write(`\nTEST_BUFFER_POOL=${pool}\n`)
  const env = { ...process.env, TEST_BUFFER_POOL: pool }
  const run = spawnSync('npx', arguments_, { stdio: 'inherit', env })
  if (run.status !== 0) status = 1
}
process.exitCode = status
