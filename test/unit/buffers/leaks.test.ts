import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { BufferPoolStats } from '../../../lib/buffers/stats.js'
import { MiB, SUPPLIES } from './rig.js'

const SCRIPT = fileURLToPath(new URL('leaks.mjs', import.meta.url))

interface Steps {
  readonly found: boolean
  readonly lost: BufferPoolStats
  readonly reports: ReadonlyArray<{ readonly kind: string; readonly bytes: number; readonly got: string }>
  readonly health: { readonly level: string; readonly reason: string }
  readonly distinct: number
  readonly untouched: boolean
  readonly orphaned: BufferPoolStats
  readonly sliceIs: readonly number[]
  readonly gone: BufferPoolStats
  readonly later: number
  readonly quiet: boolean
  readonly quietStats: BufferPoolStats
  readonly quietReports: number
}

describe.each(SUPPLIES.map(([name]) => name))('Buffers that are lost, %s supply', (name) => {
  test('are counted, reported with who got them, and never lent again', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', SCRIPT, name])
    const steps = JSON.parse(stdout) as Steps
    expect(steps.found).toBe(true)
    expect(steps.lost).toMatchObject({
      supply: name,
      active: { count: 1 },
      leaked: { count: 4, bytes: 4 * 65536 },
      refused: { again: 0, foreign: 0 },
    })
    expect(steps.reports.map(({ kind, bytes }) => [kind, bytes])).toEqual(Array(4).fill(['leak', 65536]))
    for (const { got } of steps.reports) expect(got).toMatch(/^at loseSome \(.*leaks\.mjs:\d+/)
    expect(steps.health).toMatchObject({ level: 'bad', reason: expect.stringContaining('detectLeaks') })
    // 32 slots, four of them lost (B6).
    expect(steps.distinct).toBe(28)
    expect(steps.untouched).toBe(true)
    expect(steps.orphaned).toMatchObject({ heldBytes: 2 * MiB, leaked: { count: 4, bytes: 2 * MiB } })
    expect(steps.sliceIs).toEqual(Array(10).fill(7))
    expect(steps.gone).toMatchObject({ heldBytes: 0, leaked: { count: 4, bytes: 0 }, active: { count: 0 } })
    expect(steps.later).toBe(0)
    expect(steps.quiet).toBe(true)
    expect(steps.quietStats).toMatchObject({ heldBytes: 0, leaked: { count: 1, bytes: 0 } })
    expect(steps.quietReports).toBe(0)
  })
})
