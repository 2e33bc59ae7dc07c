/*
 * Builds the addon.
 *
 *   node native/build.mjs             into build/Release, for this checkout; part of `npm ci` there
 *   node native/build.mjs --prebuild  into prebuilds/<platform>-<arch>, for the package
 *   node native/build.mjs --sanitize  into build/sanitized, under ASAN and UBSAN; test/sanitized/run.mjs runs it
 *
 * drey works without the addon, so a machine that lacks the tools is told so in one line and goes on; a
 * compiler that is there and fails is an error, and its words are shown. DREY_NATIVE=0 builds nothing,
 * DREY_NATIVE=1 makes every failure an error.
 */
import { spawnSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const require = createRequire(import.meta.url)
const prebuilding = process.argv.includes('--prebuild')
const sanitizing = process.argv.includes('--sanitize')

function say(text) {
  console.log(`drey: ${text}`)
}

/** Ends the build without an addon: an error where one was asked for, else one line. */
function without(why) {
  const demanded = prebuilding || sanitizing || process.env.DREY_NATIVE === '1'
  say(`${why}: no addon is built${demanded ? '' : ', the JavaScript path is used'}`)
  process.exit(demanded ? 1 : 0)
}

function onPath(program) {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return (program.includes('/') ? [''] : folders).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false // not in this folder
    }
  })
}

/** What node-gyp needs and is not there, in words. */
function missingTools() {
  const wanted = [
    [
      'a C++ compiler (g++ or clang++)',
      process.env.CXX?.trim().split(/\s+/).slice(-1) ?? ['c++', 'g++', 'clang++'],
    ],
    ['make', ['make', 'gmake']],
    ['python3', [process.env.PYTHON ?? 'python3', 'python3', 'python']],
  ]
  return wanted.filter(([, programs]) => !programs.some(onPath)).map(([what]) => what)
}

/** The folder that holds the headers of the Node that runs this, if they were installed with it. */
function headersOfNode() {
  const prefix = dirname(dirname(process.execPath))
  const version = join(prefix, 'include', 'node', 'node_version.h')
  if (!existsSync(version)) return undefined
  const [major] = process.versions.node.split('.')
  return new RegExp(`NODE_MAJOR_VERSION ${major}\\b`).test(readFileSync(version, 'utf8')) ? prefix : undefined
}

function environment(extra = {}) {
  const headers = process.env.npm_config_nodedir ?? headersOfNode()
  return {
    ...process.env,
    JOBS: process.env.JOBS ?? String(availableParallelism()),
    ...(headers === undefined ? {} : { npm_config_nodedir: headers }),
    ...extra,
  }
}

/** Runs a Node program; its output is kept back, and shown only if it fails. */
function run(program, args, options) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...options,
  })
  return { ok: status === 0, log: `${stdout ?? ''}${stderr ?? ''}`.trimEnd() }
}

/** Builds in `cwd`, which has a binding.gyp, with more in the environment. */
function build(cwd, made, extra) {
  const gyp = require.resolve('node-gyp/bin/node-gyp.js')
  const options = { cwd, env: environment(extra) }
  const configured = run(gyp, ['configure', '--release'], options)
  if (!configured.ok) {
    // Before any of our code: the headers of Node could not be had, or python3 is too old or incomplete.
    console.error(configured.log)
    without('node-gyp cannot prepare the build on this machine (see above)')
  }
  const built = run(gyp, ['build', '--release'], options)
  if (!built.ok) {
    console.error(built.log)
    say('the addon does not compile (see above); DREY_NATIVE=0 installs without it')
    process.exit(1)
  }
  say(`addon built: ${made}`)
}

/** Makes `folder` look like the root of the package, to build in. */
function furnish(folder) {
  for (const name of ['binding.gyp', 'native', 'package.json', 'node_modules']) {
    if (!existsSync(join(folder, name))) symlinkSync(join(root, name), join(folder, name))
  }
}

const SANITIZERS = '-fsanitize=address,undefined'

/** Under sanitizers, in a folder that stays: what is not changed is not compiled again. */
function sanitize() {
  const folder = join(root, 'build', 'sanitized')
  mkdirSync(folder, { recursive: true })
  furnish(folder)
  build(folder, 'build/sanitized/build/Release/drey.node', {
    // vptr wants RTTI, which our code is compiled without.
    CXXFLAGS: `${SANITIZERS} -fno-sanitize=vptr -fno-sanitize-recover=all -fno-omit-frame-pointer -g`,
    LDFLAGS: SANITIZERS,
  })
}

/** The tag that lib/native/libc.ts looks for. */
function libcTag() {
  const { header } = process.report.getReport()
  return header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
}

function prebuild() {
  const linux = process.platform === 'linux'
  // In a folder of its own, because prebuildify moves the binary out of build/Release, where this
  // checkout has one that its tests use.
  const stage = mkdtempSync(join(tmpdir(), 'drey-prebuild-'))
  try {
    furnish(stage)
    const args = ['--name', 'drey', '--napi', '--strip', '--out', root, '-t', process.versions.node]
    if (linux) args.push(`--tag-libc=${libcTag()}`)
    const { ok, log } = run(require.resolve('prebuildify/bin.js'), args, {
      cwd: stage,
      // Whoever installs this may have an older libstdc++ than the machine that built it, or none.
      env: environment(linux ? { LDFLAGS: '-static-libstdc++ -static-libgcc' } : {}),
    })
    if (!ok) {
      console.error(log)
      say('the prebuilt binary could not be made (see above)')
      process.exitCode = 1
      return
    }
    say(`prebuilt binary made: prebuilds/${process.platform}-${process.arch}`)
  } finally {
    rmSync(stage, { recursive: true, force: true })
  }
}

if (process.env.DREY_NATIVE === '0' && !prebuilding && !sanitizing) without('DREY_NATIVE=0')
if (process.platform === 'win32') without('Windows is not supported by the addon')
const missing = missingTools()
if (missing.length > 0) without(`${missing.join(' and ')} not found`)
if (prebuilding) prebuild()
else if (sanitizing) sanitize()
else build(root, 'build/Release/drey.node')
