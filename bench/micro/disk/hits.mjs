/*
 * What the policies of a file store answer of the traces, beside the exact policies of the same name, which know what was
 * asked for last and evict one entry at a time; a file store evicts a segment at a time, and each policy says who gets another
 * turn. Wants DREY_TRACES, the folder with the traces.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { loadTrace, tracesFolder } from '../../hits/traces.mjs'
import { openFileStore, setIn } from '../children/disk-contestants.mjs'

const POLICIES = ['fifo', 'lru', 'lfu', 'sieve', 's3-fifo']
const MiB = 2 ** 20
const VALUE = Buffer.alloc(4096, 'v')
/** The size of cache in entries of 4 KiB: where the policies differ. */
const TRACES = [
  { name: 'oltp', entries: 5000 },
  { name: 'p3', entries: 50_000 },
]
/** What a record takes beside its value, here. */
const BESIDE = 120

async function playStore({ ids }, policy, maxBytes, folder) {
  const dir = join(folder, 'hits')
  mkdirSync(dir)
  const store = await openFileStore('native', { dir, maxBytes, policy, segmentBytes: MiB })
  let hits = 0
  let held = 0
  let sampled = 0
  for (let at = 0; at < ids.length; at += 1) {
    const key = `k${ids[at]}`
    const found = store.find(key)
    const entry = found instanceof Promise ? await found : found
    if (entry === undefined) await setIn(store, key, VALUE)
    else hits += 1
    if (at >= ids.length / 2 && at % 1000 === 0) {
      held += store.stats().entries
      sampled += 1
    }
  }
  const { writeAmplification } = store.stats()
  await store.close()
  rmSync(dir, { recursive: true })
  return { rate: hits / ids.length, held: held / sampled, writeAmplification }
}

export async function hits({ quick, folder }) {
  let traces
  try {
    traces = tracesFolder()
  } catch (error) {
    return [{ name: 'disk: hit ratio', notes: [`skipped: ${error.message}`], table: [['trace']] }]
  }
  const { play } = await import('../../hits/simulate.mjs')
  const table = [
    [
      'trace',
      'policy',
      'file store',
      'exact, same maxBytes',
      'exact, as many entries',
      'entries held',
      'written ÷ given',
    ],
  ]
  const share = (rate) => `${(100 * rate).toFixed(1)} %`
  for (const { name, entries } of TRACES) {
    const trace = loadTrace(traces, name, quick ? 100_000 : 1_000_000)
    const maxBytes = entries * (VALUE.length + BESIDE)
    for (const policy of POLICIES) {
      const { rate, held, writeAmplification } = await playStore(trace, policy, maxBytes, folder)
      const exact = (most) => 1 - play(trace, policy, most * VALUE.length).misses / trace.ids.length
      table.push([
        `${name}, ${entries}`,
        policy,
        share(rate),
        share(exact(entries)),
        share(exact(Math.round(held))),
        String(Math.round(held)),
        writeAmplification.toFixed(2),
      ])
    }
  }
  return [
    {
      name: 'disk: hit ratio of the policies, native',
      notes: [
        'values of 4 KiB, segments of 1 MiB; the exact policy once with all of maxBytes for entries, once with as many entries as the store held on average in the second half',
      ],
      table,
    },
  ]
}
