import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { worstOf } from '../../../lib/doctor/check.js'
import { examine } from '../../../lib/doctor/doctor.js'
import { type Machine, thisMachine } from '../../../lib/doctor/machine.js'
import { type Env, systemEnv } from '../../../lib/store/file/env.js'
import { emptyDir } from '../../helpers/file-rig.js'
import { FILES, machineOf } from './machine.js'

const GiB = 2 ** 30

/** What is not ok: level, name, what is said, advice. */
async function complaints(machine: Machine, dir?: string, bound?: number): Promise<string[]> {
  const { checks, level } = await examine({ dir, bound }, machine)
  expect(level).toBe(worstOf(checks))
  for (const { level: one, advice } of checks) expect(advice === undefined).toBe(one === 'ok')
  return checks
    .filter(({ level: one }) => one !== 'ok')
    .map(({ level: one, name, says, advice }) => `${one} ${name}: ${says} -> ${advice}`)
}

function failing(call: keyof Env, code: string): Partial<Machine> {
  const fail = async () => {
    throw Object.assign(new Error(`${code}: refused`), { code })
  }
  return { files: { ...systemEnv, [call]: fail } }
}

function limits(name: string, soft: string): Record<string, string> {
  const path = '/proc/self/limits'
  return {
    [path]: FILES[path]!.replace(new RegExp(`^${name} .*$`, 'm'), `${name}    ${soft}    ${soft}   x`),
  }
}

test('nothing is said against a machine that has all', async () => {
  expect(await complaints(machineOf())).toEqual([])
  expect(await complaints(machineOf(), emptyDir(), 100 * GiB)).toEqual([])
  expect((await examine({}, machineOf())).level).toBe('ok')
})

describe('what the process runs with', () => {
  const off = { loaded: false, reason: 'no file' } as const
  test.each<[string, Partial<Machine>, RegExp]>([
    ['an old Node', { node: '20.18.3' }, /^bad node: Node 20\.18\.3 .* needs 20\.19/],
    ['an old major', { node: '18.20.0' }, /^bad node: .*update Node/],
    ['an old Node-API', { napi: '8' }, /^bad node: .*Node-API 9/],
    ['a Node of the future', { node: '27.0.0' }, /^warning node: .*tried up to Node 26/],
    ['Windows', { platform: 'win32' }, /^warning node: .*Windows/],
    ['no addon', { addon: off, checksums: [] }, /^warning addon: not loaded: no file.*build:addon/],
    ['none wanted', { addon: off, checksums: [], wish: '0' }, /^warning addon: .*unset DREY_NATIVE/],
    ['one demanded', { addon: off, checksums: [], wish: '1' }, /^bad addon: .*with 1 nothing runs/],
    ['a wish that is none', { addon: off, checksums: [], wish: 'yes' }, /^bad addon: .*give it 0 or 1/],
    [
      'one passed over',
      {
        addon: { loaded: true, path: '/b', version: '1', crc32c: 'sse4.2', passedOver: ['/a does not load'] },
      },
      /^warning addon: .*after \/a does not load -> remove or rebuild/,
    ],
    ['a processor that hides much', { checksums: ['portable'] }, /^warning crc32c: .*SSE 4\.2/],
    [
      'the same of another kind',
      { checksums: ['portable'], arch: 'arm64' },
      /^warning crc32c: .*CRC32 instr/,
    ],
  ])('%s', async (_, more, message) => {
    expect((await complaints(machineOf(more)))[0]).toMatch(message)
  })

  test('what need not be there is said and not minded', async () => {
    const { level, checks } = await examine({}, machineOf({ zstd: false, versionOf: () => undefined }))
    expect(level).toBe('ok')
    const says = Object.fromEntries(checks.map((check) => [check.name, check.says]))
    expect(says['zstd']).toContain('22.15')
    expect(says['prom-client']).toBe('not installed; only drey/prometheus wants it')
    expect(says['@opentelemetry/api']).toBe('not installed; only drey/opentelemetry wants it')
  })
})

describe('what the system lets it have', () => {
  test.each<[string, Partial<Machine>, Record<string, string>, RegExp]>([
    [
      'a small group',
      { groupLimit: () => 128 * 2 ** 20 },
      {},
      /^warning memory: 128 MiB of the control group; .* 32 MiB ->/,
    ],
    ['few files', {}, limits('Max open files', '256'), /^warning open files: at most 256; .*ulimit -n/],
    ['small files', {}, limits('Max file size', '1048576'), /^warning limits: files of at most 1 MiB/],
    [
      'little to address',
      {},
      limits('Max address space', '1073741824'),
      /^warning limits: an address space of 1 GiB/,
    ],
    ['few mappings', {}, { '/proc/sys/vm/max_map_count': '1000\n' }, /^warning mappings: at most 1000/],
    [
      'no huge pages',
      {},
      { '/sys/kernel/mm/transparent_hugepage/enabled': 'always madvise [never]\n' },
      /^warning huge pages: mode never.*echo madvise/,
    ],
    [
      'memory that counts when it is promised',
      {},
      {
        '/proc/sys/vm/overcommit_memory': '2\n',
        '/proc/meminfo': 'CommitLimit:    1000000 kB\nCommitted_AS:    990000 kB\n',
      },
      /^warning overcommit: mode 2: .*; 9\.8 MiB are left/,
    ],
  ])('%s', async (_, more, files, message) => {
    expect(await complaints(machineOf(more, files))).toEqual([expect.stringMatching(message)])
  })

  test('files that are there and cannot be read are named, others are another system', async () => {
    const refuse = () => {
      throw new Error('EACCES: no')
    }
    expect(await complaints(machineOf({ read: refuse, groupLimit: refuse }))).toEqual([
      expect.stringMatching(/^warning memory: .*EACCES/),
      expect.stringMatching(/^warning limits: cannot be read: EACCES: no -> .*\/proc\/self\/limits/),
    ])
    expect(await complaints(machineOf({ platform: 'darwin', read: () => undefined }))).toEqual([])
  })
})

describe('a directory', () => {
  const system = (type: number, more = {}) => ({
    fileSystem: async () => ({ type, blockBytes: 4096, total: 100 * GiB, free: 50 * GiB, ...more }),
  })
  test.each<[string, Partial<Machine>, RegExp]>([
    ['tmpfs', system(0x01021994), /^warning file system: tmpfs, .*in memory/],
    ['nfs', system(0x6969), /^warning file system: nfs, .*network/],
    ['cifs, as a negative number', system(0xff534d42 | 0), /^warning file system: cifs/],
    ['overlay', system(0x794c7630), /^warning file system: overlay, .*mount a volume/],
    ['fuse', system(0x65735546), /^warning file system: fuse/],
    ['large blocks', system(0xef53, { blockBytes: 65_536 }), /^warning file system: .*60 KiB more/],
    [
      'no room for the bound',
      system(0xef53, { free: 20 * GiB }),
      /^bad space: .*less than the bound of 40 GiB/,
    ],
    ['no way to ask', { fileSystem: () => Promise.reject(new Error('ENOSYS')) }, /^bad file system: ENOSYS/],
    ['no writing', failing('open', 'EACCES'), /^bad calls: making a file .*let the user that runs drey/],
    ['a file system that is read-only', failing('open', 'EROFS'), /^bad calls: .*mount it for writing/],
    ['a full one', failing('write', 'ENOSPC'), /^bad calls: writing .*make room/],
    ['no fdatasync', failing('datasync', 'EIO'), /^bad calls: fdatasync .*another file system/],
    ['no links', failing('link', 'EPERM'), /^bad calls: making a link /],
    ['no renaming', failing('rename', 'EIO'), /^bad calls: renaming /],
    ['no sync of folders', failing('sync', 'EINVAL'), /^bad calls: syncing the folder /],
    ['no sockets', failing('listen', 'EOPNOTSUPP'), /^bad calls: listening at a socket /],
    [
      'other bytes than were written',
      { files: { ...systemEnv, read: async (_fd, into) => into.fill(1).length } },
      /^bad calls: reading back .*do not trust/,
    ],
    [
      'no reads from the cache',
      { featuresOf: () => ({ cachedReads: constants.errno.EOPNOTSUPP, allocation: 0 }) },
      /^warning cached reads: .*\((EOPNOTSUPP|ENOTSUP)\)/,
    ],
    [
      'no blocks ahead',
      { featuresOf: () => ({ cachedReads: 0, allocation: 9999 }) },
      /^warning allocation: .*\(errno 9999\)/,
    ],
  ])('%s', async (_, more, message) => {
    const dir = emptyDir()
    expect(await complaints(machineOf(more), dir, 40 * GiB)).toEqual([expect.stringMatching(message)])
    expect(readdirSync(dir)).toEqual([])
  })

  test('one that is not there is made by an open; without a parent it cannot be', async () => {
    const dir = emptyDir()
    const { level, checks } = await examine({ dir: join(dir, 'a') }, machineOf())
    expect(level).toBe('ok')
    expect(checks.find(({ name }) => name === 'directory')?.says).toContain('would be made')
    expect(await complaints(machineOf(), join(dir, 'a', 'b'))).toEqual([
      expect.stringMatching(/^bad directory: neither .* -> make it: mkdir -p/),
    ])
    writeFileSync(join(dir, 'file'), '')
    for (const path of ['file', 'file/x']) {
      expect(await complaints(machineOf(), join(dir, path))).toEqual([
        expect.stringMatching(/^bad directory: .* is no folder/),
      ])
    }
    expect(readdirSync(dir)).toEqual(['file'])
  })

  test('what is in it counts as room for its bound; a link to one is one', async () => {
    const dir = emptyDir()
    mkdirSync(join(dir, 'd', 'log'), { recursive: true })
    writeFileSync(join(dir, 'd', 'log', 'a'), Buffer.alloc(2 ** 20, 1))
    symlinkSync(join(dir, 'd'), join(dir, 'link'))
    const tight = machineOf(system(0xef53, { total: 0, free: 64 * 2 ** 20 }))
    for (const name of ['d', 'link']) {
      expect(await complaints(tight, join(dir, name), 65 * 2 ** 20)).toEqual([])
      expect(await complaints(tight, join(dir, name), 66 * 2 ** 20)).toEqual([
        expect.stringMatching(/^bad space/),
      ])
    }
    expect(readdirSync(join(dir, 'd'))).toEqual(['log'])
  })
})

test('this machine is looked at: what it says of itself is so', async () => {
  const dir = emptyDir()
  const deep = join(dir, 'x'.repeat(120))
  mkdirSync(deep)
  const machine = thisMachine()
  const { checks } = await examine({ dir: deep }, machine)
  const levels = Object.fromEntries(checks.map(({ name, level }) => [name, level]))
  expect(levels).toMatchObject({ node: 'ok', directory: 'ok', calls: 'ok', 'prom-client': 'ok' })
  expect(machine.addon.loaded).toBe(machine.checksums.length > 0)
  expect(readdirSync(deep)).toEqual([])
})

test.runIf(thisMachine().addon.loaded)('the addon says which of its calls work on a file', () => {
  const dir = emptyDir()
  const { featuresOf } = thisMachine()
  writeFileSync(join(dir, 'a'), 'x')
  const { cachedReads, allocation } = featuresOf(join(dir, 'a'))!
  const { EOPNOTSUPP, ENOENT } = constants.errno
  expect([0, EOPNOTSUPP]).toContain(cachedReads)
  expect([0, EOPNOTSUPP]).toContain(allocation)
  expect(featuresOf(join(dir, 'b'))).toEqual({ cachedReads: ENOENT, allocation: ENOENT })
})
