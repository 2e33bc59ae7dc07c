import { execFile, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { native } from '../../../lib/native/loader.js'

/*
 * A system that has less than the bound, from its limits on: the calls that it refuses one by one are tried in
 * test/native/memory_faults_test.cc.
 */

const MiB = 2 ** 20
const PROGRAM = fileURLToPath(new URL('refusing-system.mjs', import.meta.url))
// What sets limits is Linux's, and sanitizers need more addresses than any limit leaves.
const limits = spawnSync('prlimit', ['--version']).status === 0 && process.env['DREY_ADDON'] === undefined

async function run(what: string, bytes: number): Promise<Record<string, unknown>> {
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, what, String(bytes)])
  return JSON.parse(stdout)
}

describe.skipIf(native() === undefined || !limits)('memory that the system refuses', () => {
  it('makes the store as small as what it has; it says so once, and goes on', async () => {
    const { refusedAt, maxBytes, over, kept, last, warnings, raised } = await run('memory', 4 * MiB)
    expect(maxBytes).toBeGreaterThan(8 * MiB)
    expect(maxBytes).toBeLessThan(16 * MiB)
    expect(warnings).toEqual([
      {
        code: 'DREY_MEMORY',
        message: `the system has no more memory for a memory store of ${64 * MiB} bytes: it goes on with ${maxBytes}; want a smaller maxBytes, or a higher limit of the process`,
      },
    ])
    // What came after is kept in place of what was there, within the new bound.
    expect(over).toBe(0)
    expect(last).toBe(true)
    expect(kept).toBeGreaterThan((refusedAt as number) * 0.9)
    expect(raised).toBe(64 * MiB)
  })

  it('for growing later: the store begins with the addresses that it needs', async () => {
    expect(await run('addresses', 512 * MiB)).toEqual({
      text: 'value',
      message: `ERR_DREY_CONFIG: configure.maxBytes: got ${128 * MiB}; want at least ${MiB} and at most ${64 * MiB}, which this store reserved`,
    })
  })

  it('to begin with is an error that says what to do', async () => {
    expect(await run('addresses', 20 * MiB)).toEqual({
      code: 'ERR_DREY_CONFIG',
      message: `memoryStore.maxBytes: the system has no address range of ${64 * MiB} bytes; want less, or a higher limit of virtual memory (ulimit -v)`,
    })
  })
})
