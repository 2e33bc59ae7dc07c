/*
 * Tests of behaviour over the addon as it is under ASAN and UBSAN: those of threads, and with names of others those.
 *
 *   npm run test:asan [-- NAME...]    DREY_DEATHS=1000 and DREY_SECONDS=60 for the long run
 *
 * Node itself is compiled without: the runtime of the sanitizers is loaded into it before all else. Reports go to a
 * folder, one file for a process, and any report of our code is a failure. Leaks are looked for at the end of a process
 * that ends by itself; V8 hides from that what its heap refers to, so what was allocated by others is left out.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const addon = join(root, 'build/sanitized/build/Release/drey.node')
const reports = mkdtempSync(join(tmpdir(), 'drey-sanitized-'))

/** Ends the run in failure. */
function fail(why) {
  console.error(`test:asan: ${why}`)
  rmSync(reports, { recursive: true, force: true })
  process.exit(1)
}

function run(program, args, env = {}) {
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  })
  if (error !== undefined) fail(`${program} does not run: ${error.message}`)
  return status === 0
}

/** The runtime that the compiler links with. */
function runtime() {
  const compiler = process.env.CXX?.trim().split(/\s+/) ?? ['g++']
  const [program, ...args] = compiler
  const { stdout } = spawnSync(program, [...args, '-print-file-name=libasan.so'], { encoding: 'utf8' })
  const path = stdout?.trim() ?? ''
  // The compiler says the bare name of what it does not have.
  if (!path.includes('/') || !existsSync(path)) {
    fail(`${program} has no libasan.so; want g++ with its sanitizers (CXX names another)`)
  }
  return path
}

/** The reports of one process that are of our code, each with its stack. */
function ofOurs(text) {
  if (/ERROR: AddressSanitizer|runtime error:|AddressSanitizer:DEADLYSIGNAL/.test(text)) return [text]
  return text
    .split(/\n(?=(?:Direct|Indirect) leak of )/)
    .filter((part) => part.includes('leak of ') && / drey::| __napi_Init/.test(part))
}

if (process.platform !== 'linux') fail('runs on Linux only: it preloads the runtime of the sanitizers')
if (!run(process.execPath, [join(root, 'native/build.mjs'), '--sanitize'])) fail('the addon was not built')

const names = process.argv.slice(2)
const passed = run(
  process.execPath,
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    'native',
    ...(names.length === 0 ? ['test/threads'] : names),
  ],
  {
    LD_PRELOAD: runtime(),
    // A leak alone must not fail a process: most are not ours. An error aborts it, whatever its exit code would be.
    ASAN_OPTIONS: `detect_leaks=1:exitcode=0:abort_on_error=1:log_path=${join(reports, 'report')}`,
    UBSAN_OPTIONS: 'print_stacktrace=1',
    DREY_NATIVE: '1',
    DREY_ADDON: addon,
  },
)
const files = readdirSync(reports)
const found = files.flatMap((name) => ofOurs(readFileSync(join(reports, name), 'utf8')))
for (const report of found) console.error(report)
if (found.length > 0) fail(`${found.length} reports of our code`)
if (!passed) fail('tests failed')
rmSync(reports, { recursive: true, force: true })
console.log('test:asan: no error and no leak of our code')
