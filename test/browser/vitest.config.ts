import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

/** What a person sees, in a real browser: `npm run test:browser`. No part of `npm test`, which asks for none. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  test: {
    name: 'browser',
    pool: 'forks',
    globalSetup: 'test/helpers/build.ts',
    include: ['test/browser/**/*.test.ts'],
    env: { DREY_PROFILE: 'production' },
    // Generous, because they bound nothing but hanging: a loaded machine is no failure.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
