import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createCache } from '../../../lib/cache/create.js'
import { firstMistake, placeOf } from '../../../lib/config/file/json.js'
import { loadConfig } from '../../../lib/config/file/load.js'
import { migrate } from '../../../lib/config/file/migrate.js'
import { ConfigError } from '../../../lib/errors.js'
import { createProxy } from '../../../lib/http/proxy.js'

const root = mkdtempSync(join(tmpdir(), 'drey-config-'))
let folder = root
let count = 0

beforeEach(() => {
  count += 1
  folder = join(root, String(count))
  mkdirSync(folder)
})
afterEach(() => {
  vi.restoreAllMocks()
})
afterAll(() => rmSync(root, { recursive: true }))

function write(name: string, content: unknown): string {
  const file = join(folder, name)
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

async function problemOf(load: Promise<unknown>): Promise<string> {
  const error = await load.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConfigError)
  return (error as ConfigError).message
}

describe('a file that is right', () => {
  test('is read, as JSON and as a module', async () => {
    const options = { version: 1, profile: 'low-memory', freshness: { ttl: '5m' }, proxy: { ttl: '1m' } }
    const json = await loadConfig(write('a.json', options))
    const expected = { version: 1, outdated: [], proxy: { ttl: '1m' } }
    expect(json).toMatchObject({
      ...expected,
      file: join(folder, 'a.json'),
      options: { profile: 'low-memory', freshness: { ttl: '5m' } },
    })
    const module = await loadConfig(
      pathToFileURL(write('a.mjs', `export default ${JSON.stringify(options)}`)),
    )
    expect({ ...module, file: json.file }).toEqual(json)
    const named = await loadConfig(write('b.mjs', `export const config = ${JSON.stringify(options)}`))
    expect(named.options).toEqual(json.options)
  })

  test('may begin with a mark of the byte order, and be a link', async () => {
    const file = write('a.json', '\ufeff{"version":1}')
    symlinkSync(file, join(folder, 'link.json'))
    expect((await loadConfig(join(folder, 'link.json'))).version).toBe(1)
  })

  test('is found in the working directory, when there is one', async () => {
    vi.spyOn(process, 'cwd').mockReturnValue(folder)
    expect(await problemOf(loadConfig())).toMatch(
      /^configFile: there is no drey\.config\.json, .* want one of them/,
    )
    const file = write('drey.config.json', { version: 1 })
    expect((await loadConfig()).file).toBe(file)
    write('drey.config.mjs', 'export default {}')
    expect(await problemOf(loadConfig())).toContain('want one, or the path of it')
  })

  test('makes a cache, and what is given in code counts instead', async () => {
    const file = write('a.json', {
      version: 1,
      tiers: [{ store: 'memory', maxBytes: '2MiB', policy: 'lru' }, { store: 'null' }],
      freshness: { ttl: '5m', jitter: 0.5 },
    })
    const cache = await createCache({ configFile: file, freshness: { jitter: 0 } })
    const before = Date.now()
    const { freshUntil, cachedAt } = await cache.set('a', 'b')
    expect(freshUntil - cachedAt).toBe(300_000)
    expect(cachedAt).toBeGreaterThanOrEqual(before)
    expect(cache.stats().tiers).toMatchObject([{ name: 'memory', maxBytes: 2 ** 21 }])
    await cache.close()
  })

  test('makes a proxy', async () => {
    const file = write('a.json', {
      version: 1,
      tiers: [{ store: 'memory', maxBytes: '3MiB' }],
      proxy: { origin: 'http://127.0.0.1:9', ttl: '1m' },
    })
    const proxy = await createProxy({ configFile: file } as never)
    expect(proxy.cache.stats().tiers).toMatchObject([{ maxBytes: 3 * 2 ** 20 }])
    await proxy.close()
    expect(await problemOf(createProxy({ configFile: file, memory: '8MiB' } as never))).toBe(
      'memory: got "8MiB", and the tiers of the cache; want it said there',
    )
  })
})

describe('a file that is no configuration', () => {
  test.each([
    ['{"version":1', ':1:13: it ends where JSON has to go on otherwise'],
    ['{\n  "version": 1,\n  "x": tru\n}', ':3:8: got "t" where'],
    ['{\n  "version": 1,\n}', ':3:1: got "}" where'],
    ['{"version": 1} x', ':1:16: got "x" where'],
    ['', ': is empty; want { "version": 1 } at least'],
    ['\n \n', ': is empty'],
    ['[]', ': options: got an array of 0; want an object of options'],
    ['5', ': options: got 5; want'],
    ['{"version":2}', ': version: got 2; want 1'],
    ['{"version":"1"}', ': version: got "1"; want 1'],
    [
      '{"version":1,"tiers":[{"store":"disk"}]}',
      ': tiers.0.store: got "disk"; want one of "memory", "file", "null"',
    ],
    [
      '{"version":1,"tiers":[{"store":"memory","maxbytes":1}]}',
      ': tiers.0.maxbytes: no such option; did you mean tiers.0.maxBytes?',
    ],
    [
      '{"version":1,"tiers":[{"store":"file"}]}',
      ': tiers.0.dir: got undefined; want the path of a directory',
    ],
    ['{"version":1,"freshnes":{}}', ': freshnes: no such option; did you mean freshness?'],
    ['{"version":1,"ttl":1}', ': ttl: no such option; did you mean freshness.ttl or proxy.ttl?'],
    ['{"version":1,"proxy":{"orgin":"x"}}', ': proxy.orgin: no such option; did you mean proxy.origin?'],
    [
      '{"version":1,"bufferPool":{"maxByte":1}}',
      ': bufferPool.maxByte: no such option; did you mean bufferPool.maxBytes?',
    ],
    ['{"version":1,"bufferPool":"yes"}', ': bufferPool: got "yes"; want true or false, options such as'],
    ['{"version":1,"__proto__":{"x":1}}', ': __proto__: no such option'],
    ['{"version":1,"configFile":"other.json"}', ': configFile: no such option'],
  ])('%s', async (text, message) => {
    const file = write('a.json', text)
    expect(await problemOf(loadConfig(file))).toContain(`${file}${message}`)
  })

  test('names every mistake, each on a line with the file', async () => {
    const file = write('a.json', {
      version: 1,
      freshness: { ttl: -1 },
      timeouts: { fill: 'soon' },
      tiers: [5],
    })
    const lines = (await problemOf(loadConfig(file))).split('\n')
    expect(lines).toHaveLength(3)
    for (const line of lines) expect(line).toContain(`${file}: `)
  })

  test('is a folder, a pipe, too large, not there, of another kind', async () => {
    mkdirSync(join(folder, 'a.json'))
    expect(await problemOf(loadConfig(join(folder, 'a.json')))).toBe(
      `${folder}/a.json: is a directory; want a file`,
    )
    execFileSync('mkfifo', [join(folder, 'b.json')])
    expect(await problemOf(loadConfig(join(folder, 'b.json')))).toBe(
      `${folder}/b.json: is a pipe or a device; want a file`,
    )
    const large = write('c.json', `{"version":1}${' '.repeat(2 ** 20)}`)
    expect(await problemOf(loadConfig(large))).toContain('; want at most 1 MiB')
    expect(await problemOf(loadConfig(join(folder, 'd.json')))).toContain('there is no such file')
    expect(await problemOf(loadConfig(write('e.yaml', 'version: 1')))).toContain(
      'got a name that ends in ".yaml"; want .json, .js, .mjs or .ts',
    )
    symlinkSync('loop.json', join(folder, 'loop.json'))
    expect(await problemOf(loadConfig(join(folder, 'loop.json')))).toContain('a link that leads to itself')
  })

  // Root may read everything.
  test.runIf(process.getuid?.() !== 0)('may not be read', async () => {
    const file = write('a.json', { version: 1 })
    chmodSync(file, 0)
    expect(await problemOf(loadConfig(file))).toBe(`${file}: this process may not read it`)
  })

  test('is a module that fails, or exports nothing', async () => {
    expect(await problemOf(loadConfig(write('a.mjs', 'throw new Error("oh no")')))).toContain(
      'cannot be imported: oh no',
    )
    expect(await problemOf(loadConfig(write('b.mjs', 'export const x = 1')))).toContain(
      'exports no configuration',
    )
    expect(await problemOf(loadConfig(write('c.mjs', 'export default { version: 1, }}')))).toContain(
      'cannot be imported: ',
    )
  })

  test('a watch without a file is refused', async () => {
    expect(await problemOf(createCache({ watch: true }))).toContain('watch: got true, and no configFile')
  })
})

describe('where JSON is wrong', () => {
  test('nothing that JSON.parse takes is wrong, and all else is', () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', '"', '}', ',', '\\', ' ', '1', '\n', 'e'),
        (text, where, piece) => {
          const cut = where % (text.length + 1)
          const changed = text.slice(0, cut) + piece + text.slice(cut + 1)
          for (const one of [text, changed]) {
            let valid = true
            try {
              JSON.parse(one)
            } catch {
              valid = false
            }
            const mistake = firstMistake(one)
            expect(mistake === undefined).toBe(valid)
            if (mistake !== undefined) expect(mistake).toBeLessThanOrEqual(one.length)
          }
        },
      ),
    )
  })

  test('a place is counted from 1', () => {
    expect(placeOf('ab\ncd', 4)).toEqual({ line: 2, column: 2 })
    expect(firstMistake('['.repeat(100_000))).toBeLessThan(200)
  })
})

describe('an older version', () => {
  test('is read as the newest, and says what is outdated', async () => {
    const file = write('a.json', {
      origin: 'http://127.0.0.1:9',
      'stale-if-error': '1h',
      timeouts: { fill: '1m' },
    })
    expect(await loadConfig(file)).toMatchObject({
      version: 0,
      options: { timeouts: { fill: '1m' } },
      proxy: { origin: 'http://127.0.0.1:9', staleIfError: '1h' },
      outdated: ['origin is proxy.origin', 'stale-if-error is proxy.staleIfError', 'version is 1'],
    })
  })

  test('what is migrated is not migrated again', () => {
    const { options } = migrate({ 'max-item': 5, proxy: { 'client-timeout': 1 }, nonsense: 1 })
    expect(options).toEqual({ version: 1, nonsense: 1, proxy: { maxItem: 5, clientTimeout: 1 } })
    expect(migrate(options)).toEqual({ version: 1, options, changes: [] })
  })
})

test('the tests leave nothing in the working directory', () => {
  expect(existsSync('drey.config.json')).toBe(false)
  expect(readFileSync('package.json', 'utf8')).toContain('"drey"')
})
