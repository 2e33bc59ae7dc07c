/*
 * In a process of its own: what it takes to hold entries, in bytes for each and in milliseconds of a full collection.
 * Bytes by the difference between a quarter of the entries and all of them, which leaves out what the process takes
 * anyway.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { followParent, fromParent } from '../../shared/child.mjs'
import { median } from '../../shared/statistics.mjs'
import { openContestant } from './memory-contestants.mjs'

const COLLECTIONS = 7

async function settle() {
  for (let turn = 0; turn < 6; turn += 1) {
    globalThis.gc()
    await pause(20)
  }
}

function collectionMs() {
  const times = Array.from({ length: COLLECTIONS }, () => {
    const start = performance.now()
    globalThis.gc()
    return performance.now() - start
  })
  return median(times)
}

async function run({ contestant, entries, size }) {
  const { sets, gets, held } = await openContestant(contestant, 'store', entries, size)
  const { run: set } = Object.values(sets)[0]
  const get = Object.values(gets)[0]
  const body = Buffer.alloc(size, 0x61)
  const keyOf = (index) => `key ${index}`.padEnd(16, '.')
  const fill = (from, to) => {
    for (let index = from; index < to; index += 1) {
      body.writeUInt32LE(index, size - 4)
      set(keyOf(index), body)
    }
  }

  await settle()
  const emptyMs = collectionMs()
  const quarter = Math.floor(entries / 4)
  fill(0, quarter)
  await settle()
  const before = process.memoryUsage.rss()
  fill(quarter, entries)
  await settle()
  const resident = (process.memoryUsage.rss() - before) / (entries - quarter)
  const fullMs = collectionMs()

  const { entries: kept, bytes } = held()
  if (kept !== entries) throw new Error(`holds ${kept} of ${entries} entries`)
  for (let index = 0; index < entries; index += 101) {
    body.writeUInt32LE(index, size - 4)
    if (Buffer.compare(get(keyOf(index)), body) !== 0) throw new Error(`${keyOf(index)} has wrong bytes`)
  }
  const beside = size + keyOf(0).length
  process.send({
    type: 'held',
    addedMs: fullMs - emptyMs,
    resident: resident - beside,
    accounted: bytes === undefined ? undefined : bytes / entries - beside,
  })
}

followParent()
await run(await fromParent('hold'))
process.exit(0)
