import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/*
 * Where the processor time of a server goes: its own profile (`node --cpu-prof`), added up by who it is spent for.
 */

/** Groups by the address of a function's script, first match first. */
const GROUPS = [
  ['drey: http', /\/dist\/http\//],
  ['drey: cache', /\/dist\/cache\//],
  ['drey: store', /\/dist\/(?:store|policy|native)\//],
  ['drey: other', /\/dist\//],
  ['bench', /\/bench\//],
  ['packages', /\/node_modules\//],
  ['node: http', /^node:_http|^node:internal\/http/],
  ['node: net and streams', /^node:net|^node:internal\/(?:streams|stream_base|js_stream)|^node:stream/],
  ['node: buffers', /^node:(?:internal\/)?buffer/],
  ['node: timers and ticks', /^node:internal\/(?:timers|process|async_hooks)|^node:timers/],
  ['node: other', /^node:/],
]

/** Spent outside of JavaScript: what V8 and the profiler call it. */
const OUTSIDE = new Map([
  ['(garbage collector)', 'garbage collection'],
  ['(program)', 'native: parser, libuv, kernel'],
])

function groupOf({ functionName, url }) {
  const outside = OUTSIDE.get(functionName)
  if (outside !== undefined) return outside
  // Native methods that JavaScript calls, such as writev, have no script.
  if (url === '') return 'native: called from JavaScript'
  return GROUPS.find(([, pattern]) => pattern.test(url))?.[0] ?? 'other'
}

/** A folder for profiles, and the flags that make a node write them there. */
export function profileFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'drey-profile-'))
  return {
    flags: ['--cpu-prof', `--cpu-prof-dir=${folder}`, '--cpu-prof-interval', '200'],
    read: () => {
      const [file] = readdirSync(folder)
      return JSON.parse(readFileSync(join(folder, file), 'utf8'))
    },
    remove: () => rmSync(folder, { recursive: true }),
  }
}

/** Microseconds of the clock that profiles tell the time by; the same for all processes. */
export function profileClock() {
  return Number(process.hrtime.bigint() / 1000n)
}

/**
 * Samples of a profile by group and by function, of those within the `spans`, without idle ones. Counted, not weighed by
 * the time between them: on a busy machine the profiler comes late, and who is running then is not to blame.
 *
 * @param {{ nodes: object[], samples: number[], timeDeltas: number[], startTime: number }} profile
 * @param {Array<{ from: number, to: number }>} spans by `profileClock`
 * @returns {{ groups: Map<string, number>, functions: Map<string, number>, all: number }}
 */
export function addUp({ nodes, samples, timeDeltas, startTime }, spans) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const groups = new Map()
  const functions = new Map()
  let all = 0
  let now = startTime
  samples.forEach((id, at) => {
    now += timeDeltas[at]
    const frame = frames.get(id)
    if (frame.functionName === '(idle)' || frame.functionName === '(root)') return
    if (!spans.some(({ from, to }) => from <= now && now <= to)) return
    const group = groupOf(frame)
    const name = nameOf(frame)
    groups.set(group, (groups.get(group) ?? 0) + 1)
    functions.set(name, (functions.get(name) ?? 0) + 1)
    all += 1
  })
  return { groups, functions, all }
}

function nameOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)'
  if (url === '') return name
  return `${name} ${url.replace(/^.*\/dist\//, 'dist/').replace(/^.*\/bench\//, 'bench/')}:${lineNumber + 1}`
}
