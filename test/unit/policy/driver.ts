/*
 * The C++ policies, by way of a small program that plays traces to them: test/native/trace/policy_trace.cc.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { PolicyName } from '../../../lib/policy/policy.js'
import { HASH_KEY, type Trace, UNIT } from './simulate.js'

const folder = fileURLToPath(new URL('../../native/', import.meta.url))
const program = `${folder}build/bench/policy_trace`

/** Builds the program. Says why it could not be had; undefined when it was. */
export function buildDriver(): string | undefined {
  if (process.env['DREY_NATIVE'] !== '1') return 'this is the js path'
  const { error, status, stderr } = spawnSync('make', ['-C', folder, 'trace'], { encoding: 'utf8' })
  if (error !== undefined) return `make cannot be run: ${error.message}`
  if (status !== 0) throw new Error(`test/native: make trace failed:\n${stderr}`)
  return undefined
}

export interface DriverOutcome {
  readonly policy: PolicyName
  readonly capacity: number
  /** Misses of a trace; entries at the end of calls. */
  readonly figure: number
  readonly digest: number
}

function run(
  form: string,
  input: Uint32Array,
  policies: readonly PolicyName[],
  capacities: readonly number[],
): DriverOutcome[] {
  const { error, status, stdout, stderr } = spawnSync(
    program,
    [form, String(UNIT), String(HASH_KEY), policies.join(','), capacities.join(',')],
    {
      input: new Uint8Array(input.buffer, input.byteOffset, input.byteLength),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  )
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`policy_trace ended with ${status}: ${stderr}`)
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [policy, capacity, figure, digest] = line.split(' ')
      return {
        policy: policy as PolicyName,
        capacity: Number(capacity),
        figure: Number(figure),
        digest: Number(digest),
      }
    })
}

/** Plays the trace with each of the policies at each of the capacities. */
export function playNative(
  trace: Trace,
  policies: readonly PolicyName[],
  capacities: readonly number[],
): DriverOutcome[] {
  const { ids, sizes } = trace
  if (sizes === undefined) return run('ids', ids, policies, capacities)
  const pairs = new Uint32Array(2 * ids.length)
  for (let at = 0; at < ids.length; at += 1) {
    pairs[2 * at] = ids[at]!
    pairs[2 * at + 1] = sizes[at]!
  }
  return run('sized', pairs, policies, capacities)
}

/** Makes the calls (see `perform`) to each of the policies. */
export function performNative(
  calls: Uint32Array,
  policies: readonly PolicyName[],
  capacity: number,
): DriverOutcome[] {
  return run('calls', calls, policies, [capacity])
}
