import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { IN_HAND } from '../../../lib/index.js'
import { documentedExamples } from '../../helpers/examples.js'

/*
 * What docs/guides/extending.md writes, and what is broken on purpose in it.
 */

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const blocks = documentedExamples(ROOT).filter(({ file }) => file === 'docs/guides/extending.md')
const folder = mkdtempSync(join(tmpdir(), 'drey-mutants-'))
let made = 0

export { folder }

/** What a text in the guide becomes. It has to be there, once. */
export type Change = readonly [text: string, becomes: string]

/** The function `name` of the guide, with `changes`. */
export async function ofGuide<T>(name: string, changes: readonly Change[] = []): Promise<T> {
  const block = blocks.find(({ code }) => new RegExp(`^(function|const) ${name}\\b`, 'm').test(code))
  if (block === undefined) throw new Error(`the guide has no ${name}`)
  // What drey gives it is only for its use, which follows the first suite.
  let code = block.code.replaceAll(/^import .* from 'drey.*\n/gm, '').split(/^.*for \(const \{ run \}/m)[0]!
  for (const [text, becomes] of changes) {
    if (code.split(text).length !== 2) throw new Error(`${text} is not in the guide exactly once`)
    code = code.replace(text, () => becomes)
  }
  code = `const IN_HAND = ${IN_HAND}\n${code}`
  made += 1
  const path = join(folder, `${name}-${made}.mjs`)
  writeFileSync(path, `${code}\nexport { ${name} }\n`)
  return ((await import(pathToFileURL(path).href)) as Record<string, T>)[name]!
}
