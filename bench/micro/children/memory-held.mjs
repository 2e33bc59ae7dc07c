/*
 * In a process of its own: what it takes to hold entries, in bytes for each, and then full collections whenever one is
 * asked for. Bytes by the difference between a quarter of the entries and all of them, which leaves out what the
 * process takes anyway.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { followParent, fromParent } from '../../shared/child.mjs'
import { openContestant } from './memory-contestants.mjs'

/** More garbage than the young generation has room for, so that all of it is resident whenever memory is looked at. */
function touchHeap() {
  const ring = []
  for (let at = 0; at < 200_000; at += 1) ring[at % 16] = new Array(32).fill(at)
  return ring
}

async function settle() {
  touchHeap()
  for (let turn = 0; turn < 6; turn += 1) {
    globalThis.gc()
    await pause(20)
  }
}

/** Processor time, of which a neighbour takes none. On one thread, where `--single-threaded-gc` keeps it, it is the pause of a machine that is idle. */
function collectionMs() {
  const before = process.cpuUsage()
  globalThis.gc()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

async function run({ contestant, entries, size, room = entries }) {
  const { sets, gets, held } = await openContestant(contestant, 'store', room, size)
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
  const quarter = Math.floor(entries / 4)
  fill(0, quarter)
  await settle()
  const before = process.memoryUsage.rss()
  fill(quarter, entries)
  await settle()
  const resident = (process.memoryUsage.rss() - before) / (entries - quarter)

  const { entries: kept, bytes } = held()
  if (kept !== entries) throw new Error(`holds ${kept} of ${entries} entries`)
  for (let index = 0; index < entries; index += 101) {
    body.writeUInt32LE(index, size - 4)
    if (Buffer.compare(get(keyOf(index)), body) !== 0) throw new Error(`${keyOf(index)} has wrong bytes`)
  }
  // One that holds nothing is there to be collected.
  if (entries === 0) {
    process.send({ type: 'held' })
    return held
  }
  const beside = size + keyOf(0).length
  process.send({
    type: 'held',
    resident: resident - beside,
    accounted: bytes === undefined ? undefined : bytes / entries - beside,
  })
  return held
}

followParent()
// Had for as long as the process lives: what nobody has any more is collected.
const held = await run(await fromParent('hold'))
for (;;) {
  await fromParent('collect')
  const ms = collectionMs()
  process.send({ type: 'collected', ms, entries: held().entries })
}
