import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const lists = new URL('../seeded/bugs/', import.meta.url)

interface Bug {
  readonly name: string
  readonly file: string
  readonly replace: string
  readonly by: string
}

/* Whether the tests find them takes long to see, `npm run test:seeded`; that the code still has what they change does not. */
it.each(readdirSync(lists))('each bug of %s can be seeded', async (list) => {
  const { BUGS } = (await import(new URL(list, lists).href)) as { BUGS: readonly Bug[] }
  expect(BUGS.length).toBeGreaterThan(0)
  for (const { name, file, replace, by } of BUGS) {
    const code = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
    expect(code.split(replace).length - 1, `${name}: "${replace}" in ${file}`).toBe(1)
    expect(by).not.toBe(replace)
  }
})
