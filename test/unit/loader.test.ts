import { spawnSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ADDON_FUNCTIONS, whyNotAddon } from '../../lib/native/addon.js'
import { crc32cJs } from '../../lib/native/crc32c-js.js'
import { libc } from '../../lib/native/libc.js'
import { findAddon } from '../../lib/native/loader.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

const BUILT = join('build', 'Release', 'drey.node')
const PREBUILT = join(
  'prebuilds',
  `${process.platform}-${process.arch}`,
  process.platform === 'linux' ? `drey.${libc()}.node` : 'drey.node',
)

const scratch = mkdtempSync(join(tmpdir(), 'drey-loader-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

let packages = 0

/** A package of its own, with those files at those places: the path of a file to copy, or bytes. */
function packageWith(files: Record<string, string | Buffer>, ofVersion = version): string {
  packages += 1
  const root = join(scratch, `package-${packages}`)
  mkdirSync(root)
  writeFileSync(join(root, 'package.json'), JSON.stringify({ type: 'module', version: ofVersion }))
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    if (typeof content === 'string') copyFileSync(content, join(root, name))
    else writeFileSync(join(root, name), content)
  }
  return root
}

const broken = Buffer.from('not a shared library')

describe('findAddon', () => {
  it('says which files are not there', () => {
    const root = packageWith({})
    expect(findAddon(root)).toEqual({
      reason: `${join(root, BUILT)} is not there; ${join(root, PREBUILT)} is not there`,
    })
  })

  it('says what is wrong with those that are there', () => {
    const root = packageWith({ [BUILT]: broken, [PREBUILT]: Buffer.alloc(0) })
    const search = findAddon(root)
    expect(search.addon).toBeUndefined()
    for (const name of [BUILT, PREBUILT])
      expect(search).toHaveProperty('reason', expect.stringContaining(`${join(root, name)} does not load (`))
  })

  it('looks at one file alone when it is told which', () => {
    const root = packageWith({ [BUILT]: broken, 'other.node': broken })
    const other = join(root, 'other.node')
    expect(findAddon(root, other)).toEqual({ reason: expect.stringContaining(`${other} does not load (`) })
    expect(findAddon(root, other)).toHaveProperty('reason', expect.not.stringContaining(BUILT))
    const nowhere = join(root, 'nowhere.node')
    expect(findAddon(root, nowhere)).toEqual({ reason: `${nowhere} is not there` })
  })

  it('does without a package around it', () => {
    expect(findAddon(join(scratch, 'nowhere'))).toHaveProperty('reason', expect.stringMatching(/ENOENT/))
  })
})

describe('whyNotAddon', () => {
  const nothing = () => {}
  const good = {
    version,
    crc32cImplementations: ['portable'],
    ...Object.fromEntries(ADDON_FUNCTIONS.map((name) => [name, nothing])),
  }

  it('accepts what has the version and the functions', () => {
    expect(whyNotAddon(good, version)).toBeUndefined()
  })

  it.each([
    ['another version', { ...good, version: '0.0.0' }, /is of version 0\.0\.0, the package is of version/],
    ['older sources', { ...good, hash128: undefined }, /lacks hash128/],
    ['no list', { ...good, crc32cImplementations: undefined }, /lacks crc32cImplementations/],
    ['nothing', undefined, /exports nothing/],
    ['a function', nothing, /exports nothing/],
  ])('refuses %s', (_, exports, message) => {
    expect(whyNotAddon(exports, version)).toMatch(message)
  })
})

describe('libc', () => {
  /** A 64-bit little-endian ELF header with one program header of the type PT_INTERP. */
  function elf(interpreter: string): string {
    const name = Buffer.from(`${interpreter}\0`)
    const bytes = Buffer.alloc(120)
    bytes.write('\x7fELF\x02\x01', 'latin1')
    bytes.writeBigUInt64LE(64n, 32) // where the program headers begin
    bytes.writeUInt16LE(56, 54)
    bytes.writeUInt16LE(1, 56)
    bytes.writeUInt32LE(3, 64)
    bytes.writeBigUInt64LE(120n, 64 + 8)
    bytes.writeBigUInt64LE(BigInt(name.length), 64 + 32)
    const file = join(scratch, 'elf')
    writeFileSync(file, Buffer.concat([bytes, name]))
    return file
  }

  it('reads it from the executable', () => {
    expect(libc(elf('/lib/ld-musl-x86_64.so.1'))).toBe('musl')
    expect(libc(elf('/lib64/ld-linux-x86-64.so.2'))).toBe('glibc')
  })

  it('says glibc of what it cannot read', () => {
    const file = join(scratch, 'script')
    for (const text of ['', '#!/bin/sh', '\x7fELF', `\x7fELF\x02\x01${'\xff'.repeat(58)}`]) {
      writeFileSync(file, Buffer.from(text, 'latin1'))
      expect(libc(file)).toBe('glibc')
    }
    expect(libc(join(scratch, 'missing'))).toBe('glibc')
  })

  it('agrees with what this Node reports of itself', () => {
    if (process.platform !== 'linux') return expect(libc()).toBe('glibc')
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
    expect(libc()).toBe(header.glibcVersionRuntime === undefined ? 'musl' : 'glibc')
  })
})

const compiled = join(scratch, 'compiled')

beforeAll(() => {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
  const project = join(ROOT, 'tsconfig.build.json')
  spawnSync(process.execPath, [tsc, '-p', project, '--outDir', compiled, '--noCheck'], { stdio: 'inherit' })
}, 60_000)

/** Makes a package whole, compiled as it is shipped, and runs a module in a process of its own beside it. */
function run(root: string, wish: string | undefined, code: string): unknown {
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  cpSync(compiled, join(root, 'dist'), { recursive: true })
  const { DREY_NATIVE: _, ...env } = process.env
  const script = `
    import { parentPort, Worker, workerData } from 'node:worker_threads'
    import { crc32c } from './dist/native/crc32c.js'
    import { nativeStatus } from './dist/native/loader.js'
    const bytes = new Uint8Array(4096).fill(1)
    const attempt = (fn) => { try { return fn() } catch (e) { return { code: e.code, message: e.message } } }
    ${code}
  `
  writeFileSync(join(root, 'main.mjs'), script)
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, [join(root, 'main.mjs')], {
    encoding: 'utf8',
    env: wish === undefined ? env : { ...env, DREY_NATIVE: wish },
  })
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' })
  return JSON.parse(stdout)
}

const report = 'console.log(JSON.stringify({ crc: attempt(() => crc32c(bytes)), status: nativeStatus() }))'
const CRC = crc32cJs(new Uint8Array(4096).fill(1), 0)

describe('DREY_NATIVE, where there is no addon', () => {
  it('not set: the JavaScript path, and the reason can be seen', () => {
    for (const wish of [undefined, '']) {
      expect(run(packageWith({}), wish, report)).toEqual({
        crc: CRC,
        status: { loaded: false, reason: expect.stringContaining('is not there') },
      })
    }
  })

  it('0: the JavaScript path', () => {
    expect(run(packageWith({ [BUILT]: broken }), '0', report)).toEqual({
      crc: CRC,
      status: { loaded: false, reason: 'DREY_NATIVE=0 asks for the JavaScript path' },
    })
  })

  it('1: an error however little is to be done', () => {
    const code = 'console.log(JSON.stringify(attempt(() => crc32c(new Uint8Array(1)))))'
    expect(run(packageWith({}), '1', code)).toHaveProperty('code', 'ERR_DREY_NATIVE')
  })

  it('1: an error that says why; nativeStatus says it too', () => {
    const reason = expect.stringMatching(/does not load \(.*; .* is not there/)
    expect(run(packageWith({ [BUILT]: broken }), '1', report)).toEqual({
      crc: { code: 'ERR_DREY_NATIVE', message: reason },
      status: { loaded: false, reason },
    })
  })

  it('anything else: an error that says what is allowed', () => {
    expect(run(packageWith({}), 'yes', report)).toEqual({
      crc: { code: 'ERR_DREY_CONFIG', message: expect.stringMatching(/'yes'; want 0 .*, 1 .*, or not set/) },
      status: { loaded: false, reason: expect.stringMatching(/'yes'/) },
    })
  })
})

if (process.env['DREY_NATIVE'] === '1') {
  const { path: addon } = findAddon() as { path: string }

  describe('with an addon', () => {
    it('takes the one of this checkout first', () => {
      const root = packageWith({ [BUILT]: addon, [PREBUILT]: addon })
      expect(findAddon(root)).toMatchObject({ path: join(root, BUILT), passedOver: [] })
    })

    it('passes a broken build over for the prebuilt one, and says so', () => {
      const root = packageWith({ [BUILT]: broken, [PREBUILT]: addon })
      expect(findAddon(root)).toMatchObject({
        path: join(root, PREBUILT),
        passedOver: [expect.stringContaining(`${join(root, BUILT)} does not load`)],
      })
    })

    it('refuses one of another version', () => {
      const root = packageWith({ [BUILT]: addon }, '99.0.0')
      expect(findAddon(root)).toHaveProperty(
        'reason',
        expect.stringContaining(`is of version ${version}, the package is of version 99.0.0`),
      )
    })

    it('refuses an addon that is not ours', () => {
      const require = createRequire(import.meta.url)
      require('@node-rs/crc32')
      const file = Object.keys(require.cache).find((name) => /crc32[^/]*\.node$/.test(name))
      const root = packageWith({ [BUILT]: file! })
      expect(findAddon(root)).toHaveProperty('reason', expect.stringContaining('is of version undefined'))
    })

    it.each([undefined, '1'])('DREY_NATIVE=%s: loads it and says from where', (wish) => {
      const root = packageWith({ [PREBUILT]: addon })
      expect(run(root, wish, report)).toEqual({
        crc: CRC,
        status: {
          loaded: true,
          path: join(root, PREBUILT),
          version,
          crc32c: expect.any(String),
          passedOver: [],
        },
      })
    })

    it('DREY_NATIVE=0: leaves it alone', () => {
      expect(run(packageWith({ [BUILT]: addon }), '0', report)).toHaveProperty('status.loaded', false)
    })

    it('on Windows: does without, and says so', () => {
      const windows = `Object.defineProperty(process, 'platform', { value: 'win32' }); ${report}`
      expect(run(packageWith({ [BUILT]: addon }), '', windows)).toHaveProperty('status', {
        loaded: false,
        reason: 'there is no addon for Windows, where drey takes the JavaScript path',
      })
    })

    // A thread that exits takes its environment, and would take the library, from under the others.
    const inWorker = (env = 'process.env') => `
      const inWorker = () => new Promise((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), { workerData: 'worker', env: ${env} })
        let answer
        worker.on('message', (message) => { answer = message })
        worker.on('error', reject)
        worker.on('exit', () => resolve(answer))
      })
      if (workerData === 'worker') parentPort.postMessage({ crc: crc32c(bytes), loaded: nativeStatus().loaded })
    `

    it('loads in worker threads beside the main one', () => {
      const code = `${inWorker()}
        else {
          const before = crc32c(bytes)
          const workers = await Promise.all(Array.from({ length: 8 }, inWorker))
          console.log(JSON.stringify({ before, workers, after: crc32c(bytes) }))
        }`
      const worker = { crc: CRC, loaded: true }
      expect(run(packageWith({ [BUILT]: addon }), '1', code)).toEqual({
        before: CRC,
        workers: Array(8).fill(worker),
        after: CRC,
      })
    })

    it('loads again after the only thread that had it has gone', () => {
      const code = `${inWorker()}
        else {
          const workers = []
          for (let round = 0; round < 20; round++) workers.push(await inWorker())
          const last = crc32c(bytes)
          workers.push(await inWorker())
          console.log(JSON.stringify({ workers, last }))
        }`
      expect(run(packageWith({ [BUILT]: addon }), '1', code)).toEqual({
        workers: Array(21).fill({ crc: CRC, loaded: true }),
        last: CRC,
      })
    })

    it('a worker thread may have a wish of its own', () => {
      const code = `${inWorker("{ DREY_NATIVE: '0' }")}
        else console.log(JSON.stringify({ main: nativeStatus().loaded, worker: await inWorker() }))`
      expect(run(packageWith({ [BUILT]: addon }), '1', code)).toEqual({
        main: true,
        worker: { crc: CRC, loaded: false },
      })
    })
  })
}
