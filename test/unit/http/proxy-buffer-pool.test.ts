import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createProxy } from '../../../lib/http/proxy.js'
import { BufferPool } from '../../../lib/index.js'
import { patterned } from '../../helpers/bodies.js'
import { bed } from './harness.js'

const SIZE = 3 * 2 ** 20

test.each([
  ['a pool of its own', true],
  ['no pool', false],
  ['a pool that fills what comes back', { debug: true }],
] as const)('what may not be stored passes through %s', async (_, bufferPool) => {
  await using it = await bed({ bufferPool })
  const body = patterned(SIZE)
  it.origin.on('/a', { headers: ['Cache-Control', 'no-store'], body })
  const reply = await it.get('/a')
  expect(reply.body.equals(body)).toBe(true)
  const { pool } = it.proxy.cache.stats()
  if (bufferPool === false) expect(pool).toBeUndefined()
  else expect(pool!.gets).toBeGreaterThan(10)
})

test('a pool that is given stays open', async () => {
  const pool = new BufferPool()
  {
    await using it = await bed({ bufferPool: pool })
    it.origin.on('/a', { headers: ['Cache-Control', 'no-store'], body: patterned(SIZE) })
    await it.get('/a')
  }
  expect(pool.put(pool.get())).toBe(true)
  await pool.close()
})

test('options that contradict each other are refused before anything is opened', async () => {
  const accessLog = join(tmpdir(), `drey-never-${process.pid}`)
  const bufferPool = { minBufferSize: '64KiB', maxBufferSize: '16KiB' } as const
  await expect(createProxy({ origin: 'http://127.0.0.1:1', bufferPool, accessLog })).rejects.toMatchObject({
    code: 'ERR_DREY_CONFIG',
    message: expect.stringMatching(
      /^bufferPool\.maxBufferSize: got "16KiB"; want at least bufferPool\.minBufferSize, which is /,
    ),
  })
  expect(existsSync(accessLog)).toBe(false)
})
