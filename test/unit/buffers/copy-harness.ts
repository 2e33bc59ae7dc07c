import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { BufferPoolOptions } from '../../../lib/buffers/options.js'
import { BufferPool, type PoolSeams } from '../../../lib/buffers/pool.js'
import { until } from '../../helpers/gate.js'

/*
 * What tests of copies have in common: pools in debug mode, which must have every Buffer back in the end, unharmed, and a process in which nothing
 * was left to fail unseen.
 */

export const KiB = 1024
export const folder = mkdtempSync(join(tmpdir(), 'drey-copy-'))
const pools: BufferPool[] = []
const warnings: Error[] = []
const rejections: unknown[] = []
const onWarning = (warning: Error): void => void warnings.push(warning)
const onRejection = (error: unknown): void => void rejections.push(error)

beforeAll(() => {
  process.on('warning', onWarning)
  process.on('unhandledRejection', onRejection)
})

afterEach(async () => {
  for (const pool of [...pools]) await settled(pool)
  expect(warnings.filter(({ name }) => name !== 'ExperimentalWarning')).toEqual([])
  expect(rejections).toEqual([])
})

afterAll(async () => {
  process.off('warning', onWarning)
  process.off('unhandledRejection', onRejection)
  // What was given up says so at once, and takes its file away after that (C2): it may come and go once more yet.
  await until(() => !readdirSync(folder).some((name) => name.endsWith('.part')), 'no half of a file is left')
  rmSync(folder, { recursive: true, maxRetries: 5 })
})

export function newPool(options: BufferPoolOptions = {}, seams: PoolSeams = {}): BufferPool {
  const pool = new BufferPool({ debug: true, maxBytes: '16MiB', ...options }, seams)
  pools.push(pool)
  return pool
}

/** Every Buffer is back, and nobody wrote to one that was. */
export async function settled(pool: BufferPool): Promise<void> {
  await until(() => pool.stats().active.count === 0, 'every Buffer is back')
  for (const { classBytes, active } of pool.stats().classes)
    expect([classBytes, active.count]).toEqual([classBytes, 0])
  expect(pool.stats().poisoned).toBe(0)
  expect(pool.stats().refused).toEqual({ foreign: 0, sliced: 0, again: 0 })
  expect(pool.stats().copies.active).toBe(0)
  await pool.close()
  const at = pools.indexOf(pool)
  if (at >= 0) pools.splice(at, 1)
}

/** Cut into pieces of those lengths, over and over. */
export function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length]!
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}
