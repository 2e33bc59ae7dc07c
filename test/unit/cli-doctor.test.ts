import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../lib/cli/run.js'
import { fakeConsole } from '../helpers/console.js'
import { emptyDir } from '../helpers/file-rig.js'

async function said(...args: readonly string[]) {
  const console = fakeConsole()
  const status = await run(['doctor', ...args], console)
  return { status, out: console.out(), err: console.err() }
}

const STATUS: Readonly<Record<string, number>> = { ok: 0, bad: 1, warning: 3 }

test('says a line of each check, what to do, and its worst by the exit status', async () => {
  const dir = emptyDir()
  const { status, out, err } = await said(dir)
  expect(err).toBe('')
  expect(out).toMatch(/^ok {7}node +Node \d+\.\d+\.\d+ \(ABI \d+, Node-API \d+\)/)
  expect(out).toMatch(/\nok {7}calls +writing, linking, renaming/)
  const json = JSON.parse((await said(dir, '--json')).out)
  expect(json.dir).toBe(dir)
  expect(status).toBe(STATUS[json.level])
  for (const { level, name, says, advice } of json.checks) {
    // How long a sync took is another each time.
    if (name !== 'calls' && name !== 'space') expect(out).toContain(`${level.padEnd(7)}  ${name}`)
    expect(says).not.toBe('')
    if (advice !== undefined) expect(out).toContain(`-> ${advice}`)
  }
  expect(readdirSync(dir)).toEqual([])
})

test('a bound for which there is no room, and a directory that cannot be made, are bad', async () => {
  const dir = emptyDir()
  const large = await said(dir, '--disk', '8000TiB')
  expect([large.status, large.out]).toEqual([
    1,
    expect.stringMatching(/\nbad +space .* bound of 8000 TiB\n +-> lower/),
  ])
  expect(large.out).toMatch(/\n1 bad(, \d+ warnings?)?\n$/)
  expect((await said(join(dir, 'a', 'b'))).status).toBe(1)
})

test.each([
  [['a', 'b'], /doctor wants one DIR/],
  [['a', '--disk', '1MB'], /--disk: got "1MB"; want a whole number/],
  [['--disk', '1GiB'], /--disk is of a DIR/],
  [['--what'], /--what/],
])('%j is no command line', async (args, message) => {
  const { status, out, err } = await said(...args)
  expect([status, out]).toEqual([2, ''])
  expect(err).toMatch(message)
  expect(err).toContain('see drey doctor --help')
})
