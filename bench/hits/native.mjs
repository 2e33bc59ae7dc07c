import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { HASH_KEY } from './simulate.mjs'
import { UNIT } from './traces.mjs'

/*
 * The C++ policies, by way of the program that plays traces to them: `make -C test/native trace` builds it.
 */

const program = fileURLToPath(new URL('../../test/native/build/bench/policy_trace', import.meta.url))

/** What the program can be asked to do in its form `calls`. */
export const CALL = { add: 0, touch: 1, evict: 3 }

export const hasNative = () => existsSync(program)

/**
 * Plays `words` to each of the policies at each of the capacities.
 *
 * @param {'ids' | 'sized' | 'calls'} form what the words are
 * @returns {Map<string, { misses: number, victims: number, ns: number, memory: number }>} by `policy
 * capacity`
 */
export function playNative(form, words, policies, capacities) {
  const { error, status, stdout, stderr } = spawnSync(
    program,
    [form, String(UNIT), String(HASH_KEY), policies.join(','), capacities.join(',')],
    {
      input: new Uint8Array(words.buffer, words.byteOffset, words.byteLength),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  )
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`policy_trace ended with ${status}: ${stderr}`)
  const outcomes = stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [policy, capacity, misses, victims, ns, memory] = line.split(' ')
      return [
        `${policy} ${capacity}`,
        { misses: Number(misses), victims: Number(victims), ns: Number(ns), memory: Number(memory) },
      ]
    })
  return new Map(outcomes)
}
