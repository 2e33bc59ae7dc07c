/*
 * Whether the bound of the js memory engine holds under churn: resident memory of a process that writes ten times
 * `maxBytes`, watched from outside. What was evicted is garbage until V8 collects it, and that is what shows here.
 */
import { startChild } from '../../shared/child.mjs'
import { watchResident } from '../../shared/resident.mjs'
import { showCount, showMiB } from '../../shared/table.mjs'

const CHILD = new URL('../children/memory-churn.mjs', import.meta.url)
const MiB = 2 ** 20
/** What garbage may add, at most. */
const SLACK = 256 * MiB

const mixed = { smallest: 1, largest: 4 * MiB, keys: 20_000, declared: true }
const small = { smallest: 500, largest: 2000, keys: 2_000_000, declared: true }
const ROWS = [
  { name: '1 B to 4 MiB', maxBytes: 64 * MiB, ...mixed },
  { name: '1 B to 4 MiB, size not declared', maxBytes: 64 * MiB, ...mixed, declared: false },
  { name: '1 B to 4 MiB', maxBytes: 256 * MiB, ...mixed },
  { name: '1 B to 4 MiB', maxBytes: 1024 * MiB, ...mixed, full: true },
  { name: '500 to 2000 B', maxBytes: 64 * MiB, ...small },
  { name: '500 to 2000 B', maxBytes: 256 * MiB, ...small, full: true },
  { name: 'empty', maxBytes: 64 * MiB, ...small, smallest: 0, keys: 1e9, full: true },
  { name: 'empty', maxBytes: 256 * MiB, ...small, smallest: 0, keys: 1e9, full: true, free: true },
]

export async function suite({ quick }) {
  const table = [
    [
      'values',
      'maxBytes',
      'held at the end',
      'entries',
      'evictions',
      'highest resident over start',
      'over maxBytes',
    ],
  ]
  let most = 0
  for (const row of ROWS) {
    if (quick && row.full) continue
    const { grown, bytes, entries, evictions } = await churn(row)
    if (!row.free) most = Math.max(most, grown - row.maxBytes)
    table.push([
      row.name,
      showMiB(row.maxBytes),
      showMiB(bytes),
      showCount(entries),
      showCount(evictions),
      showMiB(grown),
      showMiB(grown - row.maxBytes),
    ])
  }
  return {
    notes: ['ten times maxBytes written, one delete for five sets'],
    table,
    claims: [
      {
        what: `resident memory stays below start + maxBytes + ${showMiB(SLACK)}, but where all is on the JS heap`,
        actual: `at most ${showMiB(most)} over`,
        holds: most <= SLACK,
      },
    ],
  }
}

async function churn({ name: _, full: __, free: ___, ...spec }) {
  const child = startChild(CHILD)
  await child.receive('ready')
  const churned = child.receive('churned')
  const watch = watchResident(child.pid, 20)
  child.send({ type: 'churn', ...spec })
  const result = await churned
  const { start, peak, kernelPeak = peak } = watch.stop()
  child.send({ type: 'end' })
  await child.exited
  return { ...result, grown: Math.max(peak, kernelPeak) - start }
}
