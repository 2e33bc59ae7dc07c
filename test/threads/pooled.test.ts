import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { BufferPool } from '../../lib/buffers/pool.js'

const TIMES = 6

interface Said {
  readonly active: number
  readonly bytes: Uint8Array
}

/** Runs a thread to its end, and gives what it said. */
async function run(how: string): Promise<Said> {
  const worker = new Worker(new URL('pooled.mjs', import.meta.url), { workerData: { how } })
  const failures: unknown[] = []
  worker.on('error', (error) => failures.push(error))
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const said = await new Promise<Said>((resolve, reject) => {
    worker.once('message', resolve)
    void ended.then(() => reject(new Error(`thread ended without a word: ${String(failures[0])}`)))
  })
  if (how === 'terminate') {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 40))
    await worker.terminate()
  }
  await ended
  expect(failures.length).toBe(how === 'throw' ? 1 : 0)
  return said
}

describe('threads that end while Buffers are out', () => {
  test.each(['message', 'exit', 'throw', 'terminate'])('by %s', async (how) => {
    const pool = new BufferPool()
    const mine = pool.get(65536).fill(5)
    for (let time = 0; time < TIMES; time += 1) {
      const { active, bytes } = await run(how)
      expect(active).toBe(26)
      expect(bytes.length).toBe(8192)
    }
    expect(mine.every((byte) => byte === 5)).toBe(true)
    expect(pool.put(mine)).toBe(true)
    await pool.close()
  })
})
