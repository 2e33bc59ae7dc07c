import { totalmem } from 'node:os'
import { expect, test } from 'vitest'
import { defaultMemoryBytes, memoryThereIs } from '../../../lib/config/memory.js'

const GiB = 2 ** 30
const MiB = 2 ** 20

test.each([
  ['a limit below the machine', 16 * GiB, 2 * GiB, 2 * GiB],
  ['a limit beyond the machine', 16 * GiB, 64 * GiB, 16 * GiB],
  ['no limit, as cgroups report it', 16 * GiB, 2 ** 64, 16 * GiB],
  ['no limit, as Node reports it', 16 * GiB, 0, 16 * GiB],
])('the memory there is with %s', (_, machine, limit, expected) => {
  expect(memoryThereIs(machine, limit)).toBe(expected)
})

test('the memory there is on this machine', () => {
  expect(memoryThereIs()).toBeGreaterThan(0)
  expect(memoryThereIs()).toBeLessThanOrEqual(totalmem())
})

test.each([
  [16 * GiB, 512 * MiB],
  [2 * GiB, 512 * MiB],
  [1 * GiB, 256 * MiB],
  [100 * MiB + 3, 25 * MiB],
  [2 * MiB, 1 * MiB],
])('the bound of a store when none is given, of %i bytes', (thereIs, expected) => {
  expect(defaultMemoryBytes(thereIs)).toBe(expected)
})
