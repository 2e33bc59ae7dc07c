import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createCache } from '../../../lib/cache/create.js'
import { run } from '../../../lib/cli/run.js'
import { createProxy } from '../../../lib/http/proxy.js'
import { fakeConsole } from '../../helpers/console.js'

/*
 * The configurations of docs/guides/configuration.md: each is right, opens, and keeps what it is given.
 */

const GUIDE = readFileSync(new URL('../../../docs/guides/configuration.md', import.meta.url), 'utf8')
const examples = [...GUIDE.matchAll(/^## (.+)$(?:(?!^## )[\s\S])*?^```json\n([\s\S]*?)^```$/gm)].map(
  ([, title = '', text = '']) => [title, text] as const,
)
const root = mkdtempSync(join(tmpdir(), 'drey-guide-'))

afterAll(() => rmSync(root, { recursive: true }))

test('there is one for each of the four', () => {
  expect(examples.map(([title]) => title)).toEqual([
    'High throughput',
    'Little memory',
    'Development',
    'Cloud with a slow disk',
  ])
})

test.each(examples)('%s', async (title, text) => {
  const folder = join(root, title)
  mkdirSync(folder)
  const configFile = join(folder, 'drey.config.json')
  writeFileSync(
    configFile,
    // A disk that is nearly full is not what this is about.
    text
      .replaceAll('/var/cache/app', join(folder, 'cache'))
      .replaceAll('"store": "file",', '"store": "file", "minFree": 0,'),
  )
  const console = fakeConsole()
  expect([await run(['config', 'check', configFile], console), console.err()]).toEqual([0, ''])
  if (text.includes('"proxy"')) {
    const proxy = await createProxy({ configFile } as never)
    expect(proxy.cache.stats().tiers).toHaveLength(1)
    await proxy.close()
    return
  }
  const cache = await createCache({ configFile })
  await cache.set('a', 'value')
  expect(cache.getSync('a')?.value.toString()).toBe('value')
  expect(cache.stats().tiers.map(({ name }) => name)).toEqual(['memory', 'file'])
  await cache.close()
  const again = await createCache({ configFile })
  const answer = await again.get('a')
  expect(answer?.status === 'ok' && (await answer.text())).toBe('value')
  await again.close()
})
