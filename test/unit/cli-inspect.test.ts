import { lstatSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../lib/cli/run.js'
import { bytesOf, mustPut } from '../conformance/store-kit.js'
import { fakeConsole } from '../helpers/console.js'
import { emptyDir, jsEngine, opened } from '../helpers/file-rig.js'

async function filled(dir: string) {
  const store = await opened(jsEngine.make({ dir, packLimit: 16 * 1024 }))
  for (const size of [100, 5000, 100_000]) await mustPut(store, `k${size}`, bytesOf(size, size))
  return store
}

async function said(...args: readonly string[]) {
  const console = fakeConsole()
  const status = await run(['inspect', ...args], console)
  return { status, out: console.out(), err: console.err() }
}

/** Names, sizes and times of all there is. */
function stateOf(dir: string): string[] {
  return (readdirSync(dir, { recursive: true }) as string[]).sort().map((name) => {
    const { size, mtimeMs } = lstatSync(join(dir, name))
    return `${name} ${size} ${mtimeMs}`
  })
}

test('lists what there is, and changes nothing', async () => {
  const dir = emptyDir()
  await (await filled(dir)).close()
  const before = stateOf(dir)
  const { status, out, err } = await said(dir)
  expect([status, err]).toEqual([0, ''])
  expect(out).toMatch(
    /^\S+: 3 entries, 1 blob, [\d.]+ KiB\nnobody has it open; it was closed cleanly\nformat 1, made 20/,
  )
  expect(out).toMatch(/\nsegment +bytes +entries +in use\nlog\/\S+ +[\d.]+ KiB +3 /)
  expect(out).toMatch(/\npartition +files +bytes\n\d\d +1 /)
  const json = JSON.parse((await said(dir, '--json')).out)
  expect(json).toMatchObject({ entries: 3, blobs: 1, closed: true, segments: [{ entries: 3 }] })
  expect(stateOf(dir)).toEqual(before)
})

test('shows an entry, where it lies, and says which is not there', async () => {
  const dir = emptyDir()
  await (await filled(dir)).close()
  const packed = await said(dir, 'k5000')
  expect(packed.status).toBe(0)
  expect(packed.out).toMatch(/\nkey +"k5000"\nrecord +log\/\S+ at \d+, sequence \d+\nvalue +in the record, /)
  const { entry } = JSON.parse((await said(dir, 'k100000', '--json')).out)
  expect(entry).toMatchObject({
    key: 'k100000',
    size: 100_000,
    chunks: 2,
    chunkBytes: 65_536,
    inDoubt: false,
  })
  expect(lstatSync(join(dir, entry.blob)).isFile()).toBe(true)
  const none = await said(dir, 'none')
  expect([none.status, none.out]).toEqual([1, expect.stringContaining('\nthere is no "none"\n')])
})

test('looks at one that somebody has open, and says who', async () => {
  const dir = emptyDir()
  const store = await filled(dir)
  const { status, out } = await said(dir, 'k100')
  expect([status, out]).toEqual([0, expect.stringContaining('is open in this process already')])
  expect(out).toMatch(/\nsize +100 bytes, 100 stored\n/)
  // It goes on as if nobody had looked.
  await mustPut(store, 'more', bytesOf(10, 1))
  await store.close()
  expect((await said(dir, 'more')).status).toBe(0)
})

test('cannot look at what is no directory of drey: status 2', async () => {
  const file = join(emptyDir(), 'file')
  writeFileSync(file, 'x')
  for (const path of [emptyDir(), file, join(file, 'none')]) {
    const { status, out, err } = await said(path)
    expect([status, out]).toEqual([2, ''])
    expect(err).toMatch(/^drey: inspect cannot look at it: [^\n]+\n$/)
  }
})
