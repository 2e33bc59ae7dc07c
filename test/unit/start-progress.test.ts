import { expect, test } from 'vitest'
import { showBar, startProgress } from '../../bench/start/progress.mjs'

function recorder(terminal: { readonly isTTY?: boolean; readonly columns?: number }) {
  const written: string[] = []
  return { ...terminal, written, write: (text: string) => written.push(text) }
}

test('a bar fills in step with the work', () => {
  expect(showBar(0, 200)).toBe(`[${'.'.repeat(32)}] 0 of 200`)
  expect(showBar(100, 200)).toBe(`[${'#'.repeat(16)}${'.'.repeat(16)}] 100 of 200`)
  expect(showBar(200, 200)).toBe(`[${'#'.repeat(32)}] 200 of 200`)
})

test('without a terminal there is a plain line at each quarter', () => {
  const out = recorder({})
  const advance = startProgress(out, 'direct', 10)
  for (let done = 1; done <= 10; done += 1) advance(done)
  expect(out.written).toEqual([
    'direct: 3 of 10\n',
    'direct: 6 of 10\n',
    'direct: 9 of 10\n',
    'direct: 10 of 10\n',
  ])
})

test('in a terminal one line is written over, and ended once', () => {
  const out = recorder({ isTTY: true, columns: 80 })
  const advance = startProgress(out, 'direct', 1000)
  for (let done = 1; done <= 1000; done += 1) advance(done)
  expect(out.written).toHaveLength(100)
  expect(out.written.every((text) => text.startsWith('\r'))).toBe(true)
  expect(out.written.filter((text) => text.endsWith('\n'))).toEqual([out.written.at(-1)])
  expect(out.written.at(-1)).toContain('1000 of 1000')
})

test('a narrow terminal gets no second line', () => {
  const out = recorder({ isTTY: true, columns: 20 })
  startProgress(out, 'direct', 10)(5)
  expect(out.written[0]).toHaveLength(20)
})
