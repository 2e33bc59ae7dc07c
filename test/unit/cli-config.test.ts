import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterAll, describe, expect, test } from 'vitest'
import { run } from '../../lib/cli/run.js'
import { fakeOrigin } from '../helpers/origin.js'
import { ask } from './http/harness.js'

const folder = mkdtempSync(join(tmpdir(), 'drey-cli-config-'))

afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: unknown): string {
  const file = join(folder, name)
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

interface Ran {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** All of it: since Node 26 one `read` gives no more than one write. */
function written(stream: PassThrough): string {
  const chunks: Buffer[] = []
  for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function drey(...args: readonly string[]): Promise<Ran> {
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  const console = { stdout, stderr, onStop: () => () => undefined, exit: () => undefined }
  const status = await run(args, console)
  return { status, out: written(stdout), err: written(stderr) }
}

describe('drey config check', () => {
  test('a file that is right: status 0', async () => {
    const file = write('right.json', { version: 1, proxy: { ttl: '1m' } })
    expect(await drey('config', 'check', file)).toEqual({
      status: 0,
      out: `${file}: is right, version 1\n`,
      err: '',
    })
    const { out } = await drey('config', 'check', file, '--json')
    expect(JSON.parse(out)).toEqual({
      file,
      ok: true,
      version: 1,
      problems: [],
      changes: [],
      migrated: false,
    })
  })

  test('a file that is wrong: status 1, and a line for each mistake', async () => {
    const file = write('wrong.json', { version: 1, freshness: { ttl: -1 }, proxy: { origins: 'x' } })
    const { status, err } = await drey('config', 'check', file)
    expect(status).toBe(1)
    expect(err.trim().split('\n')).toHaveLength(2)
    expect(err).toContain(`drey: ${file}: proxy.origins: no such option; did you mean proxy.origin?`)
    const { out } = await drey('config', 'check', file, '--json')
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      problems: [expect.stringContaining('freshness.ttl'), expect.stringContaining('origins')],
    })
  })

  test('what contradicts other options is wrong, too', async () => {
    const tiers = [{ store: 'memory', maxBytes: '2MiB', maxItemBytes: '4MiB' }]
    const file = write('odd.json', { version: 1, tiers, breaker: { openFor: '1m', openForAtMost: '1s' } })
    const { status, err } = await drey('config', 'check', file)
    expect(status).toBe(1)
    expect(err).toContain(`${file}: tiers.0.maxItemBytes: got "4MiB"`)
    expect(err).toContain(`${file}: breaker.openForAtMost: got 1000 ms`)
    const both = write('both.json', { version: 1, tiers: [{ store: 'memory' }], proxy: { memory: '2MiB' } })
    expect((await drey('config', 'check', both)).err).toContain(
      'memory: got "2MiB", and the tiers of the cache',
    )
  })

  test('an older version is told, and rewritten where that is asked for', async () => {
    const old = { origin: 'http://127.0.0.1:9', 'stale-if-error': '1h' }
    const file = write('old.json', old)
    const told = await drey('config', 'check', file)
    expect(told).toMatchObject({ status: 0, err: '' })
    expect(told.out).toContain('outdated: stale-if-error is proxy.staleIfError\n')
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(old)
    expect((await drey('config', 'check', file, '--migrate')).out).toContain(
      `${file}: is right, version 1\nrewritten: `,
    )
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      version: 1,
      proxy: { origin: 'http://127.0.0.1:9', staleIfError: '1h' },
    })
    expect(JSON.parse(readFileSync(`${file}.old`, 'utf8'))).toEqual(old)
    expect((await drey('config', 'check', file, '--migrate')).out).toBe(`${file}: is right, version 1\n`)
    const program = write('old.mjs', 'export default { ttl: 5 }')
    expect(await drey('config', 'check', program, '--migrate')).toMatchObject({
      status: 1,
      err: expect.stringContaining('it is a program'),
    })
  })

  test.each([
    [['config'], 'config wants: check [FILE]'],
    [['config', 'show'], 'config wants: check [FILE]'],
    [['config', 'check', 'a', 'b'], 'config wants: check [FILE]'],
    [['config', 'check', '--jso'], "Unknown option '--jso'"],
  ])('%o: status 2', async (args, message) => {
    const { status, err } = await drey(...args)
    expect(status).toBe(2)
    expect(err).toContain(message)
    expect(err).toContain('see drey config --help')
  })
})

describe('drey proxy --config', () => {
  test.each([
    [{ version: 1 }, [], 'proxy wants --origin URL, or a --config that says it'],
    [{ version: 1, proxy: { ttl: -1 } }, [], 'proxy.ttl: got -1'],
    [
      { version: 1, proxy: { origin: 'http://127.0.0.1:9' } },
      ['--watch', '--workers', '2'],
      '--watch: a file is followed by one thread',
    ],
    [undefined, ['--watch', '--origin', 'http://127.0.0.1:9'], '--watch: got true, and no configFile'],
  ])('%o %o: status 2', async (content, flags, message) => {
    const config = content === undefined ? [] : ['--config', write('proxy.json', content)]
    const { status, err } = await drey('proxy', ...config, ...flags)
    expect(status).toBe(2)
    expect(err).toContain(message)
  })
})

test('a proxy that is asked all the time has its policy, bound, ttl and compression changed by its file, fails no request, and shows it in its metrics', async () => {
  await using origin = await fakeOrigin()
  origin.on('/a', { body: 'hello' })
  origin.on('/before', { body: 'text '.repeat(10_000) })
  origin.on('/after', { body: 'text '.repeat(10_000) })
  const dir = join(folder, 'busy')
  const options = (ttl: string, memory: object, compression: string): object => ({
    version: 1,
    tiers: [
      { store: 'memory', ...memory },
      { store: 'file', dir, maxBytes: '64MiB', minFree: 0, compression },
    ],
    proxy: { origin: origin.url, listen: 0, ttl, admin: 0 },
  })
  const file = write('busy.json', options('1m', { maxBytes: '4MiB' }, 'none'))
  const stdout = new PassThrough()
  const stderr = new PassThrough()
  let out = ''
  let err = ''
  let stop: (signal: NodeJS.Signals) => void = () => undefined
  stdout.on('data', (chunk) => {
    out += chunk
  })
  stderr.on('data', (chunk) => {
    err += chunk
  })
  const onStop = (onSignal: (signal: NodeJS.Signals) => void) => {
    stop = onSignal
    return () => undefined
  }
  const done = run(['proxy', '--config', file, '--watch'], { stdout, stderr, onStop, exit: () => undefined })
  while (!out.includes('admin on')) await once(stdout, 'data')
  const port = Number(/listening on http:\/\/\S+:(\d+) /.exec(out)![1])
  const admin = Number(/admin on http:\/\/\S+:(\d+)/.exec(out)![1])
  /** The amount of a metric that has those labels; undefined where there is none. */
  const metric = async (name: string, labels: string): Promise<number | undefined> => {
    const { text } = await ask(admin, '/metrics')
    const found = new RegExp(`^drey_${name}\\{cache="[^"]*",${labels}\\} (\\S+)$`, 'm').exec(text)
    return found === null ? undefined : Number(found[1])
  }
  /** Asks, and asks again, until `there` is. */
  const askUntil = async (there: () => boolean): Promise<void> => {
    do expect((await ask(port, '/a')).text).toBe('hello')
    while (!there())
  }
  const bytes = async (form: 'raw' | 'stored'): Promise<number> =>
    (await metric('tier_compression_bytes_total', `tier="file",form="${form}"`)) ?? 0
  await askUntil(() => true)
  expect((await ask(port, '/before')).text).toHaveLength(50_000)
  while ((await metric('tier_entries', 'tier="file"')) !== 2) await askUntil(() => true)
  expect(await metric('tier_max_bytes', 'tier="memory"')).toBe(4 * 2 ** 20)
  writeFileSync(file, JSON.stringify(options('2m', { maxBytes: '2MiB', policy: 'lru' }, 'lz4')))
  await askUntil(() => out.includes('proxy.ttl was 60000, is 120000') && out.includes('is "lru"'))
  expect(out).toContain('tiers.0.maxBytes was 4194304, is 2097152')
  expect(out).toContain('tiers.1.compression was "none", is "lz4"')
  expect(await metric('tier_max_bytes', 'tier="memory"')).toBe(2 * 2 ** 20)
  const [raw, stored] = [await bytes('raw'), await bytes('stored')]
  expect((await ask(port, '/after')).text).toHaveLength(50_000)
  // It is written to the disk behind the answer.
  while ((await bytes('raw')) < raw + 50_000) await askUntil(() => true)
  expect((await bytes('stored')) - stored).toBeLessThan(10_000)
  writeFileSync(file, '{"version": 1, ')
  await askUntil(() => err.includes(`not applied: ${file}:1:`))
  stop('SIGTERM')
  expect(await done).toBe(0)
})
