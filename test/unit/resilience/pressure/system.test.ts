import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPressure } from '../../../../lib/resilience/pressure/index.js'
import { DEFAULT_THRESHOLDS } from '../../../../lib/resilience/pressure/level.js'
import { residentSource, STALLS, systemSources } from '../../../../lib/resilience/pressure/system.js'
import {
  groupFiles,
  membership,
  meminfo,
  oldGroupFiles,
  type SystemTree,
  stalls,
  systemTree,
} from '../../../helpers/system-tree.js'

const GiB = 2 ** 30
const MiB = 2 ** 20

/** A detector over the tree, of a Linux machine with 16 GiB. */
function over(tree: SystemTree, platform: NodeJS.Platform = 'linux') {
  return createPressure(
    {},
    { sources: systemSources(DEFAULT_THRESHOLDS, { root: tree.root, machine: 16 * GiB, platform }) },
  )
}

function change(tree: SystemTree, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) tree.write(path, text)
}

describe('which source decides', () => {
  const machine = {
    ...meminfo(16 * GiB, 12 * GiB),
    ...stalls('/proc/pressure/memory', 0, 0),
  }

  test('the control group where it has a limit', () => {
    const tree = systemTree({ ...machine, ...membership('/web') })
    change(tree, groupFiles('/sys/fs/cgroup/web', { max: GiB, used: 850 * MiB, inactive: 30 * MiB }))
    const { level, ratio, source } = over(tree).sample()
    expect([level, source]).toEqual(['normal', 'cgroup'])
    expect(ratio).toBeCloseTo(820 / 1024, 9)
  })

  test('of several groups the one that is nearest to its limit', () => {
    const tree = systemTree({ ...machine, ...membership('/shop/web') })
    change(tree, groupFiles('/sys/fs/cgroup/shop/web', { max: GiB, used: 200 * MiB }))
    change(tree, groupFiles('/sys/fs/cgroup/shop', { max: 4 * GiB, used: 4032 * MiB }))
    expect(over(tree).sample()).toMatchObject({ level: 'critical', source: 'cgroup', ratio: 4032 / 4096 })
  })

  test('memory.high as well as memory.max', () => {
    const tree = systemTree({ ...machine, ...membership('/web') })
    change(tree, groupFiles('/sys/fs/cgroup/web', { max: 2 * GiB, high: GiB, used: 950 * MiB }))
    expect(over(tree).sample()).toMatchObject({ level: 'high', ratio: 950 / 1024 })
  })

  test('a group of version 1', () => {
    const tree = systemTree({
      ...machine,
      '/proc/self/cgroup': '4:cpu,memory:/jobs\n0::/\n',
      '/proc/self/mountinfo': '35 31 0:32 / /cg/memory rw - cgroup none rw,cpu,memory\n',
      ...oldGroupFiles('/cg/memory/jobs', { limit: 100 * MiB, used: 99 * MiB }),
    })
    expect(over(tree).sample()).toMatchObject({ level: 'critical', source: 'cgroup' })
  })

  test('the system where no group has a limit', () => {
    const tree = systemTree({ ...machine, ...membership('/web'), ...meminfo(16 * GiB, 1.5 * GiB) })
    change(tree, groupFiles('/sys/fs/cgroup/web', { used: 10 * GiB }))
    const { level, ratio, source } = over(tree).sample()
    expect([level, source]).toEqual(['high', 'system'])
    expect(ratio).toBeCloseTo(1 - 1.5 / 16, 9)
  })

  test('nothing where nothing is known, as on a system whose free memory means something else', () => {
    expect(over(systemTree(), 'darwin').sample()).toEqual({
      level: 'none',
      factor: 1,
      ratio: 0,
      source: 'none',
    })
  })

  test('free memory, where that is what can be had', () => {
    expect(over(systemTree(), 'win32').sample().source).toBe('system')
  })

  test('a limit of 0 is full', () => {
    const tree = systemTree({ ...machine, ...membership('/web') })
    change(tree, groupFiles('/sys/fs/cgroup/web', { max: 0, used: 4096 }))
    expect(over(tree).sample()).toMatchObject({ level: 'critical', ratio: 1 })
  })

  test('resident memory against a limit of its own, if it is the worst', () => {
    const rss = residentSource(GiB, () => 0.85 * GiB)
    const calm = { name: 'calm', ratio: () => 0.1 }
    const tense = { name: 'tense', ratio: () => 0.97 }
    expect(createPressure({}, { sources: [[calm], [rss]] }).sample()).toMatchObject({
      level: 'normal',
      source: 'rss',
    })
    expect(createPressure({}, { sources: [[tense], [rss]] }).sample()).toMatchObject({ source: 'tense' })
    const { ratios } = createPressure({ rssLimit: '1MiB', source: calm }).stats()
    expect(ratios).toEqual({})
    const own = createPressure({ rssLimit: '1MiB', source: calm })
    expect(own.sample()).toMatchObject({ level: 'critical', ratio: 1, source: 'rss' })
  })
})

describe('stalls', () => {
  test.each([
    [0, 0, 'none'],
    [4.99, 1.99, 'none'],
    [STALLS.some[0], 0, 'low'],
    [STALLS.some[1], 0, 'normal'],
    [STALLS.some[2], 0, 'high'],
    [STALLS.some[3], 0, 'critical'],
    [0, STALLS.full[0], 'low'],
    [0, STALLS.full[1], 'normal'],
    [0, STALLS.full[2], 'high'],
    [0, STALLS.full[3], 'critical'],
    [100, 100, 'critical'],
  ])('of %d %% of some and %d %% of all raise the level to %s', (some, full, level) => {
    const tree = systemTree({
      ...meminfo(16 * GiB, 15 * GiB),
      ...stalls('/proc/pressure/memory', some, full),
    })
    const pressure = over(tree)
    expect(pressure.sample().level).toBe(level)
    expect(pressure.stats().failures).toEqual({})
  })

  test('are those of the group that has the limit, if it tells', () => {
    const tree = systemTree({
      ...meminfo(16 * GiB, 15 * GiB),
      ...membership('/web'),
      ...groupFiles('/sys/fs/cgroup/web', { max: GiB, used: 10 * MiB }),
      ...stalls('/proc/pressure/memory', 90, 90),
      ...stalls('/sys/fs/cgroup/web/memory.pressure', 7, 0),
    })
    expect(over(tree).sample()).toMatchObject({ level: 'low', source: 'stall' })
    tree.remove('/sys/fs/cgroup/web/memory.pressure')
    expect(over(tree).sample()).toMatchObject({ level: 'critical', source: 'stall' })
  })

  test('count for more the longer they are', () => {
    fc.assert(
      fc.property(
        fc.tuple(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 10_000 })),
        (pair) => {
          const [less, more] = pair
            .sort((a, b) => a - b)
            .map((hundredths) => {
              const tree = systemTree(stalls('/proc/pressure/memory', hundredths / 100, 0))
              return over(tree).sample().ratio
            })
          expect(less).toBeLessThanOrEqual(more!)
          expect(more).toBeLessThanOrEqual(1)
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe('what is broken falls to the next source, and is counted', () => {
  const files = {
    ...membership('/web'),
    ...groupFiles('/sys/fs/cgroup/web', { max: GiB, used: 100 * MiB }),
    ...meminfo(16 * GiB, 4 * GiB),
    ...stalls('/proc/pressure/memory', 0, 0),
  }

  test('a file that vanishes, and comes back', () => {
    const tree = systemTree(files)
    const pressure = over(tree)
    expect(pressure.sample().source).toBe('cgroup')
    tree.remove('/sys/fs/cgroup/web/memory.current')
    expect(pressure.sample()).toMatchObject({ source: 'system', ratio: 0.75, level: 'low' })
    expect(pressure.stats().failures).toEqual({ cgroup: 1 })
    tree.write('/sys/fs/cgroup/web/memory.current', `${GiB}`)
    expect(pressure.sample()).toMatchObject({ source: 'cgroup', level: 'critical' })
  })

  test('a process that is moved, while its old group goes', () => {
    const tree = systemTree(files)
    const pressure = over(tree)
    pressure.sample()
    tree.remove('/sys/fs/cgroup/web')
    change(tree, membership('/other'))
    change(tree, groupFiles('/sys/fs/cgroup/other', { max: GiB, used: 1000 * MiB }))
    expect(pressure.sample().source).toBe('system')
    expect(pressure.sample()).toMatchObject({ source: 'cgroup', level: 'critical' })
  })

  test('all of them at once', () => {
    const tree = systemTree(files)
    const pressure = over(tree)
    pressure.sample()
    for (const path of ['/sys/fs/cgroup/web/memory.max', '/proc/meminfo', '/proc/pressure/memory']) {
      tree.write(path, 'garbage')
    }
    expect(pressure.sample()).toMatchObject({ level: 'none', ratio: 0, source: 'none' })
    expect(pressure.stats().failures).toEqual({ cgroup: 1, system: 1, stall: 1 })
  })

  test('whatever is in them', () => {
    const paths = Object.keys(files)
    const hostile = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.constantFrom('', '\n', 'max', '-1', '0', 'NaN', '1e400', `${'9'.repeat(400)}`, 'x'.repeat(70_000)),
      fc.constantFrom(
        'MemTotal: 0 kB\nMemAvailable: 0 kB\n',
        'MemTotal: 5 kB\nMemAvailable: 900 kB\n',
        'some avg10=999.99 avg60=0\nfull avg10=-1 avg60=0\n',
        'inactive_file 99999999999999999999\nactive_file 1\n',
        '0::/../../../..\n',
        '0::/web/../web\n',
        '31 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2\n31 22 - cgroup2 x y\n - cgroup2\n',
      ),
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...paths), hostile), { minLength: 1, maxLength: 4 }),
        (changes) => {
          const tree = systemTree(files)
          const pressure = over(tree)
          for (const [path, text] of changes) {
            tree.write(path, text)
            const { ratio, level, factor } = pressure.sample()
            expect(ratio >= 0 && ratio <= 1, `a ratio of ${ratio}`).toBe(true)
            expect([level, factor]).toEqual([pressure.current().level, pressure.factor()])
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  test('more of it than is read', () => {
    const tree = systemTree({ ...files, '/proc/meminfo': 'x'.repeat(2 ** 20 + 1) })
    tree.remove('/sys/fs/cgroup/web')
    expect(over(tree).sample().source).toBe('stall')
  })
})

test('this system says something, or has nothing to say', () => {
  const pressure = createPressure()
  const { ratio, source } = pressure.sample()
  expect(['cgroup', 'system', 'stall', 'none']).toContain(source)
  expect(ratio >= 0 && ratio <= 1).toBe(true)
  expect(pressure.stats().failures).toEqual({})
})
