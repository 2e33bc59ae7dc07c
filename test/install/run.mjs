/*
 * What a stranger does: installs the packed package into an empty folder, on a machine without a compiler,
 * with and without install scripts, and uses it from both kinds of module; then without the prebuilt binary.
 *
 * Prints a line for every check and, last, how many passed and failed. The dependencies come from whatever
 * registry npm is configured for.
 */
import { strict as assert } from 'node:assert'
import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { version, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const platform = `${process.platform}-${process.arch}`
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'drey-install-')))

let passed = 0
let failed = 0

/** Runs one check. What depends on a failed one goes on, and fails by itself. */
function check(name, body) {
  try {
    body()
    passed += 1
    console.log(`ok    ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAIL  ${name}\n      ${String(error?.message ?? error).replaceAll('\n', '\n      ')}`)
  }
}

function run(program, args, { cwd = scratch, env = process.env } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, env, encoding: 'utf8' })
  if (error !== undefined) throw error
  assert.equal(status, 0, `${[program, ...args].join(' ')} exits with ${status}:\n${stdout}${stderr}`)
  return stdout
}

function onPath(program, path = process.env.PATH) {
  return path
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file))
}

/** An environment whose PATH holds node, npm and a shell, and that asks nothing of drey. */
function bareEnvironment() {
  const bin = join(scratch, 'bin')
  mkdirSync(bin)
  symlinkSync(process.execPath, join(bin, 'node'))
  for (const program of ['npm', 'sh']) symlinkSync(realpathSync(onPath(program)), join(bin, program))
  // npm hands its own settings down to what it runs, and this may be run by npm: where packages come from is
  // kept, the rest is not.
  const ours =
    /^(npm_(?!config_(registry|cache|cafile|userconfig|globalconfig|.*proxy)$)|DREY_|NODE_OPTIONS$|CC$|CXX$)/i
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name))
  return { ...Object.fromEntries(kept), PATH: bin }
}

function pack() {
  rmSync(join(root, 'dist'), { recursive: true, force: true }) // what was compiled from files that are gone
  run('npm', ['run', 'build:ts'], { cwd: root })
  run('npm', ['run', 'prebuild'], { cwd: root })
  const packed = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', scratch], {
    cwd: root,
  })
  const [{ filename, files: listed }] = JSON.parse(packed)
  return { tarball: join(scratch, filename), listed: listed.map(({ path }) => path) }
}

const USE = `
  const suite = storeSuite(nullStore, { keeps: 'nothing' })
  for (const { run } of suite) await run()
  const cache = await createCache()
  await cache.set('key', 'value')
  if (!exposition({ cache }).includes('drey_set_bytes_total{cache="cache"} 5')) throw new Error('no metrics')
  if (typeof openTelemetryInstruments !== 'function') throw new Error('no instruments')
  createDashboard(cache).close()
  const value = await (await cache.get('key')).text()
  await cache.close()
  console.log(JSON.stringify({ cases: suite.length, status: nativeStatus(), crc: crc32c(Buffer.from('123456789')), value }))
`
const FORMS = {
  import: [
    '--input-type=module',
    '-e',
    `import { crc32c, createCache, nativeStatus, nullStore } from 'drey'; import { storeSuite } from 'drey/testing'; import { exposition } from 'drey/prometheus'; import { openTelemetryInstruments } from 'drey/opentelemetry'; import { createDashboard } from 'drey/dashboard'; ${USE}`,
  ],
  require: [
    '--input-type=commonjs',
    '-e',
    `const { crc32c, createCache, nativeStatus, nullStore } = require('drey'); const { storeSuite } = require('drey/testing'); const { exposition } = require('drey/prometheus'); const { openTelemetryInstruments } = require('drey/opentelemetry'); const { createDashboard } = require('drey/dashboard'); (async () => { ${USE} })()`,
  ],
}

/** Uses the package that is installed in `folder`; gives the native status. */
function use(form, folder, env) {
  const { cases, status, crc, value } = JSON.parse(run('node', FORMS[form], { cwd: folder, env }))
  assert.equal(crc, 0xe3069283, 'crc32c is wrong')
  assert.ok(cases > 0, 'drey/testing has no cases')
  assert.equal(value, 'value', 'the cache does not give back what it was given')
  return status
}

function tarballChecks({ listed }) {
  check('the tarball holds dist, prebuilds, native, binding.gyp and nothing else', () => {
    // The three that npm adds by itself, whatever the list of files says.
    const allowed = new Set([...files, 'package.json', 'README.md', 'LICENSE'])
    assert.deepEqual([...files].sort(), ['binding.gyp', 'dist', 'native', 'prebuilds'])
    assert.deepEqual(
      listed.filter((path) => !allowed.has(path.split('/')[0])),
      [],
    )
    for (const name of allowed)
      assert.ok(
        listed.some((path) => path.split('/')[0] === name),
        `${name} is missing`,
      )
  })
  check(`the tarball holds a binary for ${platform}`, () => {
    const binary = new RegExp(`^prebuilds/${platform}/drey(\\.glibc|\\.musl)?\\.node$`)
    assert.equal(listed.filter((path) => binary.test(path)).length, 1, listed.join('\n'))
  })
  check('the tarball holds no other folder of the checkout', () => {
    assert.deepEqual(
      listed.filter((path) => /(^|\/)(node_modules|test|bench|lib|build|docs)\//.test(path)),
      [],
    )
  })
}

function installChecks({ tarball }, env, name, flags) {
  const folder = join(scratch, name.replaceAll(' ', '-'))
  const installed = join(folder, 'node_modules', 'drey')
  mkdirSync(folder)
  // Without it npm takes the nearest folder above that has one, and installs there.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')

  check(`${name}: npm install, in an empty folder`, () => {
    run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...flags, tarball], {
      cwd: folder,
      env,
    })
    assert.ok(existsSync(join(installed, 'package.json')), 'nothing was installed')
    assert.ok(!existsSync(join(installed, 'build')), 'something was compiled')
  })
  check(`${name}: drey --version`, () => {
    assert.match(
      run(join(folder, 'node_modules', '.bin', 'drey'), ['--version'], { cwd: folder, env }),
      new RegExp(version.replaceAll('.', '\\.')),
    )
  })
  for (const form of Object.keys(FORMS)) {
    check(`${name}: ${form} loads the prebuilt binary`, () => {
      const status = use(form, folder, env)
      assert.equal(status.loaded, true, status.reason)
      assert.ok(status.path.startsWith(join(installed, 'prebuilds', platform) + sep), status.path)
      assert.equal(status.version, version)
    })
    check(`${name}: ${form} with DREY_NATIVE=0 takes the JavaScript path`, () => {
      assert.equal(use(form, folder, { ...env, DREY_NATIVE: '0' }).loaded, false)
    })
  }

  rmSync(join(installed, 'prebuilds'), { recursive: true, force: true })
  for (const form of Object.keys(FORMS)) {
    check(`${name}, binary removed: ${form} takes the JavaScript path and says why`, () => {
      const status = use(form, folder, env)
      assert.equal(status.loaded, false)
      assert.match(status.reason, /prebuilds.* is not there/)
    })
    check(`${name}, binary removed: ${form} with DREY_NATIVE=1 is an error that says why`, () => {
      const demanding = { ...env, DREY_NATIVE: '1' }
      assert.throws(
        () => use(form, folder, demanding),
        /ERR_DREY_NATIVE|DREY_NATIVE=1 demands the addon.* is not there/s,
      )
    })
  }
}

try {
  const packed = pack()
  tarballChecks(packed)
  const env = bareEnvironment()
  check('PATH has no compiler', () => {
    const tools = ['cc', 'c++', 'gcc', 'g++', 'clang', 'clang++', 'make', 'python3', 'python', 'node-gyp']
    assert.deepEqual(
      tools.filter((tool) => onPath(tool, env.PATH) !== undefined),
      [],
    )
  })
  installChecks(packed, env, 'with scripts', [])
  installChecks(packed, env, 'without scripts', ['--ignore-scripts'])
} catch (error) {
  failed += 1
  console.log(`FAIL  the package cannot be packed\n${error.stack}`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
