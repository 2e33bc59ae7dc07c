import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/*
 * Worker threads and child processes run what is built, not what is written, and dashboards show the page that is built: it is built once, before any test. Errors of
 * types are another command's business (`npm run test:types`): what is emitted despite them runs.
 */
export function setup(): void {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  run([compiler, '-p', 'tsconfig.build.json'])
  const { status, stderr } = run(['lib/http/dashboard/page/build.mjs'])
  if (status !== 0) throw new Error(`the page of the dashboard could not be built:\n${stderr}`)
}

function run(args: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr, error } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (error !== undefined) throw error
  return { status, stderr }
}
