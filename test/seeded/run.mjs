/*
 * Seeds bugs, one at a time, and says whether the tests find them.
 *
 *   npm run test:seeded                   all lists of test/seeded/bugs/
 *   npm run test:seeded -- memory         one list
 *   npm run test:seeded -- --only fence   bugs whose names match the pattern
 *   npm run test:seeded -- --jobs 2       so many bugs at a time
 *   npm run test:seeded -- --list         names them, and does nothing
 *
 * Works on a copy of the tree in a temporary folder: this one stays as it is. A bug is one text of one file, which must
 * be there exactly once, and what it becomes. The checks are run on the tree as it is first: there, all must pass. Ends
 * with 1 when one does not, when a bug was not found, or could not be seeded.
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHECKS } from './checks.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const lists = fileURLToPath(new URL('bugs', import.meta.url))
/** A check that takes so long hangs: on the tree as it is, each takes seconds. */
const LONGEST_MS = 5 * 60_000
/** All of C++, on a machine with other things to do. */
const LONGEST_BUILD_MS = 30 * 60_000
/** What builds leave, so that one file is compiled for a bug, and not all of them. */
const BUILT = ['build', 'test/native/build']
/** Of what went wrong, so many lines are shown. */
const SHOWN_LINES = 30

const files = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true }

function readArguments(given) {
  const names = [...given]
  const take = (flag) => {
    const at = names.indexOf(flag)
    return at < 0 ? undefined : names.splice(at, 2)[1]
  }
  const jobs = Number(take('--jobs') ?? 1)
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error('--jobs: want a whole number from 1')
  const pattern = take('--only')
  return { pattern, jobs, lists: names.includes('--list'), names: names.filter((each) => each !== '--list') }
}

async function readBugs({ names, pattern }) {
  const all = readdirSync(lists).map((file) => file.replace(/\.mjs$/, ''))
  for (const name of names) {
    if (!all.includes(name)) throw new Error(`no list is named ${name}; want one of ${all.join(', ')}`)
  }
  const bugs = []
  for (const name of names.length === 0 ? all : names) {
    const { BUGS } = await import(new URL(`bugs/${name}.mjs`, import.meta.url))
    bugs.push(...BUGS)
  }
  return bugs.filter((bug) => pattern === undefined || new RegExp(pattern).test(bug.name))
}

/** A copy of all that is written here, with what was built of it. */
function copyTree(to) {
  const listed = spawnSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: root })
  if (listed.status !== 0) throw new Error(`git ls-files: ${listed.stderr}`)
  for (const file of listed.stdout.toString('utf8').split('\0')) {
    // One that was deleted and is not committed yet is listed, too.
    if (file === '' || !existsSync(join(root, file))) continue
    mkdirSync(dirname(join(to, file)), { recursive: true })
    cpSync(join(root, file), join(to, file), files)
  }
  for (const folder of BUILT) {
    if (existsSync(join(root, folder))) cpSync(join(root, folder), join(to, folder), files)
  }
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'))
}

/** The commands that run now. */
const running = new Set()

/** Runs a command to its end, or for as long as one may take; says how it ended. */
function run([program, ...args], cwd, env = {}, longest = LONGEST_MS) {
  return new Promise((resolve) => {
    // In a group of its own: what it started ends with it.
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, NO_COLOR: '1', DREY_SEEDED: '1', ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    let output = ''
    let hung = false
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    const timer = setTimeout(() => {
      hung = true
      process.kill(-child.pid, 'SIGKILL')
    }, longest)
    child.on('error', (error) => (output += error.message))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      running.delete(child)
      resolve({ ok: code === 0, hung, signal, output })
    })
  })
}

async function build(what, cwd) {
  for (const command of what) {
    const { ok, output } = await run(command, cwd, {}, LONGEST_BUILD_MS)
    if (!ok) throw new Error(`${command.join(' ')} failed:\n${tailOf(output)}`)
  }
}

function tailOf(output) {
  return output.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n')
}

/** What found a bug, in the words of the test runner. */
function finderOf({ hung, signal, output }) {
  if (hung) return 'a test that did not end'
  const words = [
    /^\s*FAIL\s+(?:\|\w+\|\s+)?(?:(?:native|js)\s+)?(.+)$/m,
    /^TEST CASE:\s+(.+)$/m,
    /^SUMMARY: (\w+: .+?)(?: \S*\/| in |$)/m,
    /runtime error: (.+)$/m,
    /^\S*: (Assertion .+ failed)\.$/m,
  ]
  for (const each of words) {
    const match = each.exec(output)
    if (match !== null) return match[1].trim()
  }
  if (/Worker exited unexpectedly|Worker \w+ emitted error/.test(output)) return 'the end of the process'
  return signal === null ? tailOf(output).split('\n').at(-1) : `the end by ${signal}`
}

function seed({ file, replace, by }, cwd) {
  const path = join(cwd, file)
  const text = readFileSync(path, 'utf8')
  const count = text.split(replace).length - 1
  if (count !== 1) throw new Error(`${file} has ${JSON.stringify(replace)} ${count} times; want once`)
  writeFileSync(
    path,
    text.replace(replace, () => by),
  )
}

async function tryBug(bug, base, folder) {
  const work = mkdtempSync(join(folder, 'bug-'))
  try {
    const check = CHECKS[bug.check]
    // Of the variants of the tests in C++, the one that is wanted.
    const others = join(base, 'test/native/build/')
    const own = join(others, `${check.variant}`)
    cpSync(base, work, { ...files, filter: (path) => !path.startsWith(others) || path.startsWith(own) })
    seed(bug, work)
    await build(check.build, work)
    return await run(check.command, work, check.env)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

const seconds = (since) => `${Math.round((performance.now() - since) / 1000)} s`

async function main() {
  const wanted = readArguments(process.argv.slice(2))
  const bugs = await readBugs(wanted)
  if (wanted.lists) {
    for (const { name, file, check } of bugs) console.log(`- ${name} (\`${file}\`): ${CHECKS[check].name}`)
    return
  }
  const folder = mkdtempSync(join(tmpdir(), 'drey-seeded-'))
  const clean = () => rmSync(folder, { recursive: true, force: true })
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
  ]) {
    process.once(signal, () => {
      for (const child of running) process.kill(-child.pid, 'SIGKILL')
      clean()
      process.exit(128 + number)
    })
  }
  try {
    const base = join(folder, 'base')
    mkdirSync(base)
    copyTree(base)
    for (const name of new Set(bugs.map(({ check }) => check))) {
      const began = performance.now()
      const { build: made, command, env, name: said } = CHECKS[name]
      await build(made, base)
      const outcome = await run(command, base, env)
      if (!outcome.ok) throw new Error(`the tree as it is does not pass ${said}:\n${tailOf(outcome.output)}`)
      console.log(`as it is, passes: ${said}, ${seconds(began)}`)
    }
    let missed = 0
    const left = [...bugs.entries()]
    const work = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [at, bug] = next
        const began = performance.now()
        const outcome = await tryBug(bug, base, folder).catch((error) => ({
          ok: true,
          output: error.message,
        }))
        if (outcome.ok) missed += 1
        const said = outcome.ok ? 'NOT FOUND' : 'found'
        console.log(`${at + 1}. ${said}: ${bug.name} (${bug.file}), ${seconds(began)}`)
        console.log(`   ${outcome.ok ? tailOf(outcome.output) : `by ${finderOf(outcome)}`}`)
      }
    }
    await Promise.all(Array.from({ length: wanted.jobs }, work))
    console.log(`${bugs.length - missed} of ${bugs.length} found`)
    if (missed > 0) process.exitCode = 1
  } finally {
    clean()
  }
}

await main().catch((error) => {
  console.error(`test:seeded: ${error.message}`)
  process.exitCode = 1
})
