import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/*
 * Worker threads and child processes run what is built, not what is written: it is built once, before any test. Errors of
 * types are another command's business (`npm run test:types`): what is emitted despite them runs.
 */
export function setup(): void {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const { error } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json'])
  if (error !== undefined) throw error
}
