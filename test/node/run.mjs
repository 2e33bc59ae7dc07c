/*
 * The unit tests on other versions of Node than the one that runs this, over the addon that is built: one binary serves all.
 *
 *   npm run test:node -- 24 26 [-- VITEST ARGUMENTS]
 *
 * The versions come from npm as packages of their own, and are kept under build/node/. By default the native path runs all of
 * test/unit; arguments for vitest take the place of that.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const UNIT = ['test/unit', '--project', 'native', '--reporter=dot']

function fail(why) {
  console.error(`test:node: ${why}`)
  process.exit(1)
}

/** The binary of a version, which is fetched when it is not there. */
function binaryOf(version) {
  const folder = join(root, 'build', 'node', version)
  const name = `node-${process.platform}-${process.arch}`
  const binary = join(folder, 'node_modules', name, 'bin', 'node')
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  // Without it npm takes the nearest folder above that has one, and installs there.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const { status } = spawnSync(
    'npm',
    ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts', `${name}@${version}`],
    { cwd: folder, stdio: 'inherit' },
  )
  if (status !== 0 || !existsSync(binary)) fail(`npm has no ${name}@${version}`)
  return binary
}

const separator = process.argv.indexOf('--', 2)
const versions = process.argv.slice(2, separator === -1 ? undefined : separator)
const tests = separator === -1 ? UNIT : process.argv.slice(separator + 1)
if (versions.length === 0 || !versions.every((version) => /^\d+(\.\d+){0,2}$/.test(version))) {
  fail('want versions of Node, such as: npm run test:node -- 24 26')
}

for (const version of versions) {
  const binary = binaryOf(version)
  // Tests that start `node` by its name mean the one that they run in.
  const env = { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  console.log(`\ntest:node: Node ${stdout.trim()}`)
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const { status } = spawnSync(binary, [vitest, 'run', ...tests], { cwd: root, stdio: 'inherit', env })
  if (status !== 0) process.exitCode = 1
}
