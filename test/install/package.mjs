/*
 * What tools say of the package as it is packed: `npm run test:package`. publint looks at package.json and its files, attw at whether its
 * types are found the way that each kind of importer looks for them. Both come from npm when they are asked for.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'drey-package-'))

function npm(...args) {
  const { status, error } = spawnSync('npm', args, { cwd: root, stdio: 'inherit' })
  if (error !== undefined) throw error
  if (status !== 0) process.exitCode = 1
}

try {
  npm('pack', '--silent', '--ignore-scripts', '--pack-destination', scratch)
  const tarball = join(scratch, readdirSync(scratch)[0])
  npm('exec', '--yes', '--package=publint@0.3.25', '--', 'publint', '--strict', tarball)
  // ES modules alone, which `require` takes since Node 20.19: resolution as of Node 10 is none of ours.
  npm(
    'exec',
    '--yes',
    '--package=@arethetypeswrong/cli@0.18.5',
    '--',
    'attw',
    tarball,
    '--profile',
    'esm-only',
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
