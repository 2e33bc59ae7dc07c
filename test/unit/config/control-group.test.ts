import { expect, test } from 'vitest'
import { ControlGroups, tightestLimit, usedBy } from '../../../lib/config/control-group.js'
import { groupFiles, membership, oldGroupFiles, systemTree } from '../../helpers/system-tree.js'

const GiB = 2 ** 30
const MiB = 2 ** 20
// What version 1 says where there is none.
const NO_LIMIT = 2 ** 63 - 4096

const OLD_MOUNTS = [
  '31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755',
  '32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
  '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
  '41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw',
  '',
].join('\n')

test('the limit is that of the process, or of the group above it that is tighter', () => {
  const tree = systemTree({
    ...membership('/shop.slice/web.service'),
    ...groupFiles('/sys/fs/cgroup/shop.slice/web.service', { max: 4 * GiB, high: 3 * GiB }),
    ...groupFiles('/sys/fs/cgroup/shop.slice', { max: 2 * GiB }),
  })
  const groups = new ControlGroups(tree.root)
  expect(
    groups.limited(16 * GiB).map(({ directory, limit }) => [directory.slice(tree.root.length), limit]),
  ).toEqual([
    ['/sys/fs/cgroup/shop.slice/web.service', 3 * GiB],
    ['/sys/fs/cgroup/shop.slice', 2 * GiB],
  ])
  expect(tightestLimit(16 * GiB, groups)).toBe(2 * GiB)
  // A limit beyond the machine's memory is none.
  expect(groups.limited(2 * GiB)).toEqual([])
  expect(tightestLimit(GiB, groups)).toBe(GiB)
})

test.each([
  ['in a namespace of its own', '/', '/sys/fs/cgroup', '/', '/sys/fs/cgroup'],
  [
    'bound to a part of the tree',
    '/docker/abc/child',
    '/sys/fs/cgroup',
    '/docker/abc',
    '/sys/fs/cgroup/child',
  ],
  ['bound to its own group', '/docker/abc', '/sys/fs/cgroup', '/docker/abc', '/sys/fs/cgroup'],
  ['outside of what is mounted', '/elsewhere', '/sys/fs/cgroup', '/docker/abc', '/sys/fs/cgroup'],
  ['above the root of its namespace', '/../sibling', '/sys/fs/cgroup', '/', '/sys/fs/cgroup'],
  ['where a name has a blank', '/a b', '/sys/fs/c\\040group', '/', '/sys/fs/c group/a b'],
  ['mounted at the root of all', '/web', '/', '/', '/web'],
])('a group %s is found', (_, path, mount, from, directory) => {
  const tree = systemTree({ ...membership(path, mount, from), ...groupFiles(directory, { max: GiB }) })
  expect(tightestLimit(16 * GiB, new ControlGroups(tree.root))).toBe(GiB)
})

test('groups of version 1 beside a tree of version 2 that has no memory controller', () => {
  const tree = systemTree({
    '/proc/self/cgroup': '4:memory:/jobs/7\n1:cpu:/\n0::/\n',
    '/proc/self/mountinfo': OLD_MOUNTS,
    ...oldGroupFiles('/sys/fs/cgroup/memory', { limit: NO_LIMIT, used: GiB }),
    ...oldGroupFiles('/sys/fs/cgroup/memory/jobs', {
      limit: 512 * MiB,
      used: 300 * MiB,
      inactive: 40 * MiB,
      active: 10 * MiB,
    }),
    ...oldGroupFiles('/sys/fs/cgroup/memory/jobs/7', { limit: NO_LIMIT, used: 200 * MiB }),
    '/sys/fs/cgroup/unified/memory.pressure': '',
  })
  const [group, ...others] = new ControlGroups(tree.root).limited(16 * GiB)
  expect(group).toEqual({ directory: `${tree.root}/sys/fs/cgroup/memory/jobs`, version: 1, limit: 512 * MiB })
  expect(others).toEqual([])
  expect(usedBy(group!)).toBe(250 * MiB)
})

test('what is used leaves out what the kernel can drop', () => {
  const tree = systemTree({
    ...membership('/web'),
    ...groupFiles('/sys/fs/cgroup/web', {
      max: GiB,
      used: 900 * MiB,
      inactive: 300 * MiB,
      active: 200 * MiB,
    }),
  })
  const [group] = new ControlGroups(tree.root).limited(16 * GiB)
  expect(usedBy(group!)).toBe(400 * MiB)
  // The two are not read in one instant.
  tree.write('/sys/fs/cgroup/web/memory.current', '1')
  expect(usedBy(group!)).toBe(0)
})

test('without groups, or without a kernel that has them, there is no limit', () => {
  expect(new ControlGroups(systemTree().root).limited(GiB)).toEqual([])
  const { root } = systemTree({
    '/proc/self/cgroup': 'garbage\n\n::\n0:x',
    '/proc/self/mountinfo': 'a - b\n - \n-\n',
  })
  expect(new ControlGroups(root).limited(GiB)).toEqual([])
  expect(new ControlGroups(systemTree(membership('/web')).root).limited(GiB)).toEqual([])
})

test('a limit that changes counts at once; a process that moved is found again', () => {
  const tree = systemTree({ ...membership('/one'), ...groupFiles('/sys/fs/cgroup/one', { max: GiB }) })
  const groups = new ControlGroups(tree.root)
  expect(tightestLimit(16 * GiB, groups)).toBe(GiB)
  tree.write('/sys/fs/cgroup/one/memory.max', `${2 * GiB}\n`)
  expect(tightestLimit(16 * GiB, groups)).toBe(2 * GiB)
  tree.write('/proc/self/cgroup', '0::/two\n')
  for (const [path, text] of Object.entries(groupFiles('/sys/fs/cgroup/two', { max: 3 * GiB })))
    tree.write(path, text)
  groups.forget()
  expect(tightestLimit(16 * GiB, groups)).toBe(3 * GiB)
  tree.remove('/sys/fs/cgroup/two')
  expect(() => groups.limited(16 * GiB)).toThrow(/ENOENT/)
})

test.each(['', 'many', '-1', '1e9', '0x10', `${'9'.repeat(30)}`, '1 2', 'maximum', '\u0000'])(
  'a limit of %j is an error that names the file',
  (text) => {
    const tree = systemTree({ ...membership('/web'), ...groupFiles('/sys/fs/cgroup/web', {}) })
    tree.write('/sys/fs/cgroup/web/memory.max', text)
    expect(() => new ControlGroups(tree.root).limited(GiB)).toThrow(
      /\/web\/memory\.max: got .*; want a number, or max/,
    )
  },
)

test('usage that makes no sense is an error that names the file', () => {
  const tree = systemTree({ ...membership('/web'), ...groupFiles('/sys/fs/cgroup/web', { max: MiB }) })
  const [group] = new ControlGroups(tree.root).limited(GiB)
  tree.write('/sys/fs/cgroup/web/memory.stat', 'anon 5\ninactive_file -3\nactive_file 9\n')
  expect(() => usedBy(group!)).toThrow(/memory\.stat: want a line like/)
  tree.write('/sys/fs/cgroup/web/memory.current', 'lots')
  expect(() => usedBy(group!)).toThrow(/memory\.current: got "lots"; want a number/)
})
