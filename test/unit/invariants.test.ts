import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

function filesUnder(folder: string, end: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(end))
    .map((name) => join(ROOT, folder, name))
}

/** The texts in a file of tests: titles are among them, comments are not. */
const textsIn = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(['`])((?:(?!\1)[^\\\n]|\\.)*)\1/g)].map(([, , text]) => text!)

it('each of I1 to I12 is in the name of a test', () => {
  const texts = filesUnder('test', '.test.ts').flatMap(textsIn)
  for (let number = 1; number <= 12; number += 1) {
    const name = new RegExp(`\\bI${number}\\b`)
    expect(texts.filter((text) => name.test(text)).length, `tests of I${number}`).toBeGreaterThan(0)
  }
})

it('nothing of a store in files waits for the disk in the turn that asks it (I8)', () => {
  // The js engine; natively a disk is waited for by threads of the store's own, and only what is in the page cache is read on the loop.
  for (const file of filesUnder('lib/store/file', '.ts')) {
    const calls = readFileSync(file, 'utf8').match(
      /\b(?:open|read|write|stat|close|fsync|unlink|mkdir|readdir|rm)\w*Sync\b/g,
    )
    expect(calls, file).toBeNull()
  }
})
