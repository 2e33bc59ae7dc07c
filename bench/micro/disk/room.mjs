/*
 * What an entry takes on the disk and in memory, and how long a directory of many takes to open after a close. In this
 * process, native; the directory is in the page cache.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { record } from '../../shared/record.mjs'
import { digits, showBytes, showCount } from '../../shared/table.mjs'
import { openFileStore, readWhole, setIn } from '../children/disk-contestants.mjs'

const GiB = 2 ** 30
const MOST_INDEX_BYTES = 48
const GOAL_S = 2
const GOAL_ENTRIES = 10_000_000
const AT_ONCE = 256

async function fill(store, from, to, value, keyOf) {
  let next = from
  const lane = async () => {
    while (next < to) if (!(await setIn(store, keyOf(next++), value))) throw new Error('a set was refused')
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

const keyOf = (at) => `key ${String(at).padStart(12, '0')}`

async function perEntry(folder, quick) {
  const rows = []
  for (const size of [100, 1024, 4096, 65_536]) {
    const dir = join(folder, `room ${size}`)
    mkdirSync(dir)
    const entries = Math.min(quick ? 20_000 : 100_000, Math.floor((256 * 2 ** 20) / size))
    const store = await openFileStore('native', { dir, maxBytes: 2 * GiB, segmentBytes: '1MiB' })
    const before = store.stats().bytes
    await fill(store, 0, entries, Buffer.alloc(size, 'v'), keyOf)
    const { bytes } = store.stats()
    await store.close()
    rmSync(dir, { recursive: true })
    const each = (bytes - before) / entries
    rows.push([showBytes(size), showCount(entries), digits(each), digits(each - size - keyOf(0).length)])
  }
  return rows
}

async function openTime(folder, entries) {
  const dir = join(folder, `open ${entries}`)
  mkdirSync(dir)
  const options = { dir, maxBytes: 8 * GiB, maxIndexBytes: GiB }
  const value = Buffer.alloc(16, 'v')
  const filling = performance.now()
  const store = await openFileStore('native', options)
  await fill(store, 0, entries, value, keyOf)
  const filled = performance.now() - filling
  const { indexBytes, entries: held } = store.stats()
  await store.close()
  const times = []
  const processor = []
  for (let round = 0; round < 3; round += 1) {
    const from = performance.now()
    const cpu = process.cpuUsage()
    const again = await openFileStore('native', options)
    times.push(performance.now() - from)
    const { user, system } = process.cpuUsage(cpu)
    processor.push((user + system) / 1000)
    const { recovery } = again.stats()
    for (const at of [0, entries >> 1, entries - 1]) {
      const found = await again.find(keyOf(at))
      if (found === undefined || !(await readWhole(found)).equals(value)) throw new Error('an entry was lost')
    }
    if (!recovery.clean || again.stats().entries !== entries) throw new Error('the open was no clean one')
    await again.close()
  }
  rmSync(dir, { recursive: true })
  return {
    entries,
    filled,
    ms: Math.min(...times),
    all: times,
    processor: Math.min(...processor),
    index: indexBytes / held,
  }
}

export async function room({ quick, folder }) {
  const each = await perEntry(folder, quick)
  const counts = quick ? [200_000] : [1_000_000, GOAL_ENTRIES]
  const opens = []
  for (const entries of counts) opens.push(await openTime(folder, entries))
  const index = Math.max(...opens.map((one) => one.index))
  return [
    {
      name: 'disk: bytes an entry takes on the disk, native',
      notes: ['by the ledger, which is the blocks of all files; keys of 16 bytes'],
      table: [['value', 'entries', 'bytes each', 'beside key and value'], ...each],
    },
    {
      name: 'disk: open after a clean close, native',
      notes: [
        `the shortest of three, the others in brackets; goal: ${showCount(GOAL_ENTRIES)} entries within ${GOAL_S} s`,
      ],
      records: opens.flatMap(({ entries, all, index: bytes }) => [
        record({
          id: `disk/open ${entries}`,
          what: `open after a clean close, ${showCount(entries)} entries`,
          unit: 'ms',
          better: 'less',
          samples: { native: all },
        }),
        record({
          id: `disk/index ${entries}`,
          what: `memory of the index, ${showCount(entries)} entries`,
          unit: 'B/entry',
          better: 'less',
          samples: { native: [bytes] },
        }),
      ]),
      table: [
        ['entries', 'open, ms', 'ms of processor', 'filled in', 'bytes of index an entry'],
        ...opens.map(({ entries, ms, all, processor, filled, index: bytes }) => [
          showCount(entries),
          `${digits(ms)} (${all.map((one) => digits(one)).join(', ')})`,
          digits(processor),
          `${digits(filled / 1000)} s`,
          digits(bytes),
        ]),
      ],
      claims: [
        {
          what: `index: at most ${MOST_INDEX_BYTES} bytes an entry`,
          actual: digits(index),
          holds: index <= MOST_INDEX_BYTES,
        },
      ],
    },
  ]
}
