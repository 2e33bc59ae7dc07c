import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/*
 * Every test of behaviour runs twice: on the native path and on the pure-JS path. Where the addon was not
 * built the native project is left out, loudly; DREY_NATIVE=0 asks for the js path alone and DREY_NATIVE=1
 * insists on the native one.
 */
const forced = process.env['DREY_NATIVE']
const built = existsSync(new URL('./build/Release/drey.node', import.meta.url))
const paths: Array<'native' | 'js'> = []
if (forced !== '0') {
  if (built || forced === '1') paths.push('native')
  else console.warn('vitest: no addon in build/Release: the native project is left out')
}
if (forced !== '1') paths.push('js')

export default defineConfig({
  test: {
    pool: 'forks',
    // Vitest leaves a core to itself, which on two cores is one test file at a time.
    maxWorkers: Math.max(2, availableParallelism()),
    globalSetup: 'test/helpers/build.ts',
    // With `--coverage`. What tests run in threads and processes of their own (dist/) is not counted.
    coverage: {
      provider: 'v8',
      include: ['lib/**/*.ts'],
      reporter: ['text-summary', 'json-summary', 'html'],
      thresholds: { lines: 80 },
    },
    projects: paths.map((path) => ({
      test: {
        name: path,
        setupFiles: ['test/helpers/seeded.ts'],
        include: ['test/{unit,conformance,differential,crash,threads,examples}/**/*.test.ts'],
        // The defaults that are documented, not those of the profile that the runner's NODE_ENV asks for.
        env: { DREY_NATIVE: path === 'native' ? '1' : '0', DREY_PROFILE: 'production' },
        // Generous, because they bound nothing but hanging: a loaded machine is no failure.
        testTimeout: 60_000,
        hookTimeout: 60_000,
      },
    })),
  },
})
