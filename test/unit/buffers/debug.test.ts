import { afterEach, describe, expect, test, vi } from 'vitest'
import { BufferPool } from '../../../lib/buffers/pool.js'
import { rig, SUPPLIES } from './rig.js'

interface Report {
  readonly kind: string
  readonly got?: string
  readonly returned?: string
  readonly site?: string
}

describe.each(SUPPLIES)('debug mode, %s supply', (_, supply) => {
  const open = () => {
    const reports: Report[] = []
    const sentences: string[] = []
    const logging = {
      info: () => undefined,
      warn: (details: object, sentence: string) => {
        reports.push(details as Report)
        sentences.push(sentence)
      },
    }
    const made = rig(
      { debug: true, logging, maxBytes: '4MiB', classes: ['64KiB', '1MiB'], maxIdle: '1s' },
      supply(),
    )
    return { ...made, reports, sentences }
  }
  const HERE = /debug\.test\.ts/

  test('what comes back is filled, and a write after it is found at the next get', () => {
    const { pool, reports } = open()
    const first = pool.get(65536).fill(1)
    pool.put(first)
    expect(first.every((byte) => byte === 0xdb)).toBe(true)
    pool.put(pool.get(65536))
    expect(pool.stats().poisoned).toBe(0)
    first[65535] = 1
    pool.get(100_000)
    expect(pool.stats().poisoned).toBe(0)
    pool.get(5000)
    expect(pool.stats().poisoned).toBe(1)
    expect(reports).toEqual([
      {
        kind: 'poisoned',
        bytes: 65536,
        got: expect.stringMatching(HERE),
        returned: expect.stringMatching(HERE),
      },
    ])
  })

  test('a second put is known even when somebody else has the memory by then', () => {
    const { pool, reports, sentences } = open()
    const mine = pool.get(65536)
    pool.put(mine)
    const theirs = pool.get(65536)
    expect(theirs).not.toBe(mine)
    expect(pool.put(mine)).toBe(false)
    expect(pool.stats()).toMatchObject({ active: { count: 1 }, refused: { again: 1 } })
    const place = expect.stringMatching(HERE)
    expect(reports).toEqual([{ kind: 'again', bytes: 65536, got: place, returned: place, site: place }])
    expect(sentences[0]).toContain('given back twice')
    expect(pool.put(theirs)).toBe(true)
    const direct = pool.get(10)
    expect([pool.put(direct), pool.put(direct)]).toEqual([true, false])
    expect(reports[1]).toMatchObject({ kind: 'again', bytes: 10, site: place })
  })

  test('what was not lent is reported too', () => {
    const { pool, reports } = open()
    expect(pool.put(Buffer.alloc(8))).toBe(false)
    expect(pool.put(pool.get(65536).subarray(5))).toBe(false)
    expect(reports).toMatchObject([
      { kind: 'refused', bytes: 8, why: 'foreign', site: expect.stringMatching(HERE) },
      { kind: 'refused', bytes: 65531, why: 'sliced' },
    ])
  })

  test('memory that went to the system and came back is no misuse', () => {
    const { pool, clock } = open()
    pool.put(pool.get(65536))
    clock.advance(1_000_000)
    expect(pool.stats().heldBytes).toBe(0)
    pool.get(65536)
    expect(pool.stats().poisoned).toBe(0)
  })
})

afterEach(() => {
  vi.restoreAllMocks()
})

test('without a logger, mistakes are warnings of the process', () => {
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const pool = new BufferPool({ debug: true })
  pool.put(Buffer.alloc(8))
  expect(warned).toHaveBeenCalledExactlyOnceWith(
    expect.stringContaining('did not lend'),
    expect.objectContaining({
      code: 'DREY_BUFFER_REFUSED',
      detail: expect.stringContaining('debug.test.ts'),
    }),
  )
})
