import { afterEach, expect, test, vi } from 'vitest'
import { BufferPool } from '../../../lib/buffers/pool.js'
import { jsSupply } from '../../../lib/buffers/supply/js.js'
import { FakeClock } from '../../helpers/clock.js'

afterEach(() => {
  vi.restoreAllMocks()
})

test('a summary goes to the logger at each interval, until the pool is closed', async () => {
  const clock = new FakeClock()
  const info = vi.fn()
  const pool = new BufferPool(
    { logging: { info, warn: vi.fn() }, loggingInterval: '10s' },
    { clock, supply: jsSupply },
  )
  pool.get(4096)
  clock.advance(9999)
  expect(info).not.toHaveBeenCalled()
  clock.advance(20_001)
  expect(info).toHaveBeenCalledTimes(3)
  expect(info).toHaveBeenLastCalledWith(
    expect.objectContaining({ gets: 1, heldBytes: 2 ** 21 }),
    'buffer pool',
  )
  await pool.close()
  expect(clock.pending).toBe(0)
})

test('a logger that fails is reported, and harms nothing', () => {
  const clock = new FakeClock()
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const info = (): void => {
    throw new Error('disk full')
  }
  const pool = new BufferPool({ logging: { info, warn: info }, debug: true }, { clock, supply: jsSupply })
  clock.advance(120_000)
  expect(pool.put(Buffer.alloc(1))).toBe(false)
  expect(warned).toHaveBeenCalledTimes(3)
  expect(warned).toHaveBeenLastCalledWith(expect.stringContaining('disk full'), expect.anything())
})

test('so is one whose methods are async', async () => {
  const clock = new FakeClock()
  const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
  const info = async (): Promise<void> => {
    throw new Error('disk full')
  }
  const pool = new BufferPool({ logging: { info, warn: info } }, { clock, supply: jsSupply })
  clock.advance(60_000)
  await pool.close()
  expect(warned).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('disk full'), expect.anything())
})

test('by the console when that is all that is asked for', () => {
  const clock = new FakeClock()
  const said = vi.spyOn(console, 'info').mockImplementation(() => undefined)
  const pool = new BufferPool({ logging: true }, { clock, supply: jsSupply })
  clock.advance(60_000)
  expect(said).toHaveBeenCalledExactlyOnceWith('buffer pool', expect.objectContaining({ gets: 0 }))
  expect(pool.stats().gets).toBe(0)
})
