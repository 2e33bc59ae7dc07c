import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, get, Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { format } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { documentedExamples, type Example, examplesOf } from '../helpers/examples.js'

/*
 * Runs every block of README.md, docs/guides and docs/reference that is marked ```js runnable (or ts), against lib. A block is a module by
 * itself. Where it names http://localhost:3000 there is an origin, `url` is something on it, and `httpResponse` a response that
 * somebody waits for. What it prints must be what its comments say, where they say anything; and a server that it
 * leaves listening must answer for the origin.
 */

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const HELLO = 'hello from the origin\n'

const SOURCES: Readonly<Record<string, string>> = {
  drey: join(ROOT, 'lib/index.ts'),
  'drey/http': join(ROOT, 'lib/http/index.ts'),
  'drey/testing': join(ROOT, 'lib/testing/index.ts'),
  'drey/dashboard': join(ROOT, 'lib/http/dashboard/index.ts'),
  'drey/prometheus': join(ROOT, 'lib/metrics/prometheus.ts'),
  'drey/opentelemetry': join(ROOT, 'lib/metrics/opentelemetry.ts'),
}

const folder = mkdtempSync(join(tmpdir(), 'drey-examples-'))
const listening = new Set<Server>()
let origin: Server
let asked: string[] = []

beforeAll(async () => {
  origin = createServer((req, res) => {
    asked.push(req.url ?? '')
    if (req.url !== '/hello.txt') {
      res.writeHead(404).end()
      return
    }
    res.writeHead(200, {
      'content-type': 'text/plain',
      'cache-control': 'max-age=60',
      'content-length': HELLO.length,
    })
    res.end(HELLO)
  })
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  asked = []
  await Promise.all([...listening].map(close))
  listening.clear()
})

afterAll(async () => {
  await close(origin)
  rmSync(folder, { recursive: true })
})

async function close(server: Server): Promise<void> {
  if (!server.listening) return
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

const urlOf = (server: Server): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

/** The code as a module of its own: the package is lib, the origin the one of this test, and ports are free ones. */
function moduleOf({ code, file, line }: Example): string {
  return code
    .replaceAll(/(from\s+|import\()'([^']+)'/g, (whole, before: string, name: string) => {
      const source = SOURCES[name]
      if (source === undefined && !name.startsWith('node:')) {
        throw new Error(
          `${file}:${line} imports ${name}: an example may import ${Object.keys(SOURCES).join(', ')} and node:*`,
        )
      }
      return source === undefined ? whole : `${before}'${source}'`
    })
    .replaceAll('http://localhost:3000', urlOf(origin))
    .replaceAll('.listen(8080)', ".listen(0, '127.0.0.1')")
}

/** Names that stand for what a reader of the document has. */
interface Given {
  readonly url: string
  readonly httpResponse: ServerResponse
}

/** What the example prints, by call of console.log. Servers that it starts are found in `listening`. */
async function run(example: Example, given: Given): Promise<string[]> {
  const printed: string[] = []
  vi.spyOn(console, 'log').mockImplementation((...values) => void printed.push(format(...values).trimEnd()))
  const { listen } = Server.prototype
  vi.spyOn(Server.prototype, 'listen').mockImplementation(function (this: Server, ...args) {
    listening.add(this)
    this.once('close', () => listening.delete(this))
    return listen.apply(this, args as Parameters<typeof listen>)
  } as typeof listen)
  vi.stubGlobal('httpResponse', given.httpResponse)
  vi.stubGlobal('url', given.url)
  const path = join(folder, `${example.file.replaceAll(/\W/g, '-')}-${example.line}.${example.language}`)
  writeFileSync(path, moduleOf(example))
  await import(pathToFileURL(path).href)
  return printed
}

/** A response that somebody waits for, and what that one gets. */
async function pendingResponse(): Promise<{
  readonly response: ServerResponse
  readonly got: Promise<string>
}> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  listening.add(server)
  const got = read(urlOf(server))
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
  return { response, got }
}

function read(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, (res) => {
      res.setEncoding('utf8')
      let text = ''
      res.on('data', (piece: string) => {
        text += piece
      })
      res.on('end', () => resolve(text))
      res.on('error', reject)
    }).on('error', reject)
  })
}

const examples = documentedExamples(ROOT)

describe('examples of the documents', () => {
  test('there are some in the guide that begins', () => {
    expect(examples.filter(({ file }) => file === 'docs/guides/getting-started.md').length).toBeGreaterThan(4)
  })

  test.each(examples)('$file:$line', async (example) => {
    const { response, got } = await pendingResponse()
    const waiting = [...listening]
    const printed = await run(example, { url: `${urlOf(origin)}/hello.txt`, httpResponse: response })
    if (example.prints.length > 0) expect(printed).toEqual(example.prints)
    if (/\bhttpResponse\b/.test(example.code)) expect(await got).toBe(HELLO)
    else response.end()
    await got
    const left = [...listening].filter((server) => !waiting.includes(server))
    expect(left).toHaveLength(example.code.includes('.listen(8080)') ? 1 : 0)
    for (const server of left) {
      if (!server.listening) await once(server, 'listening')
      // What the example serves comes from the origin once, and from the cache after that.
      asked = []
      const answers = [await read(`${urlOf(server)}/hello.txt`), await read(`${urlOf(server)}/hello.txt`)]
      expect(answers).toEqual([HELLO, HELLO])
      expect(asked).toEqual(['/hello.txt'])
    }
  })
})

test('only blocks that say so are examples, with their lines and what they print', () => {
  const text = [
    '# T',
    '```js',
    'no()',
    '```',
    '',
    '```ts runnable',
    'a() // → 1',
    'b()',
    'c() // → x y',
    '```',
    '',
  ].join('\n')
  expect(examplesOf('a.md', text)).toEqual([
    { file: 'a.md', line: 7, language: 'ts', code: 'a() // → 1\nb()\nc() // → x y\n', prints: ['1', 'x y'] },
  ])
})
