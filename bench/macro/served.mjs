import { connect } from 'node:net'
import { crc32c } from '../../dist/native/crc32c.js'
import { startChild } from '../shared/child.mjs'
import { median } from '../shared/statistics.mjs'
import { digits, layOut, showMiB } from '../shared/table.mjs'

/*
 * What a GiB that is served costs the collector, with the buffer pool of the cache and without, on both paths: bytes allocated on the JS
 * heap and as Buffers, and the time of collections. A server for each way; values of 1 MiB go to sockets of this process, which
 * checks every one. The servers take turns, and the median of the rounds counts.
 */

const SERVER = new URL('./served/server.mjs', import.meta.url)
const GiB = 2 ** 30
const CONNECTIONS = 16
/** Of twenty requests so many are for keys that are there, or for new ones. */
const WORKLOADS = [
  { name: 'near, hits', what: 'memory store, 19 of 20 are hits', fresh: 1, keys: 24 },
  { name: 'near, misses', what: 'memory store, 19 of 20 are misses', fresh: 19, keys: 4 },
  { name: 'far, hits', what: 'far store, 19 of 20 are hits', fresh: 1, keys: 24 },
  { name: 'far, misses', what: 'far store, 19 of 20 are misses', fresh: 19, keys: 4 },
  { name: 'not kept', what: 'misses of what may not be kept', fresh: 20, keys: 0 },
]
const WAYS = ['native', 'js'].flatMap((path) => ['on', 'off'].map((pool) => ({ path, pool })))

/** Asks for one value, and gives its length and checksum. */
function ask(port, line) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(line))
    let length = 0
    let sum = 0
    socket.on('data', (bytes) => {
      length += bytes.length
      sum = crc32c(bytes, sum)
    })
    socket.on('error', reject)
    socket.on('close', () => resolve({ length, sum }))
  })
}

let asked = 0

/** Asks for `count` values, some at a time; says how many were wrong. */
async function serve(server, workload, count) {
  let left = count
  let wrong = 0
  const one = async () => {
    while (left > 0) {
      left -= 1
      asked += 1
      const fresh = asked % 20 < workload.fresh
      const key = fresh ? `new ${asked}` : `kept ${asked % workload.keys}`
      const { length, sum } = await ask(server.port, `${workload.name};${key}\n`)
      if (length !== server.size || sum !== server.sum) wrong += 1
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, one))
  return wrong
}

async function measured(server, workload, count) {
  const begun = server.child.receive('begun')
  server.child.send({ type: 'begin', workload: workload.name })
  await begun
  const wrong = await serve(server, workload, count)
  const told = server.child.receive('measured')
  server.child.send({ type: 'stop' })
  const perGiB = GiB / (count * server.size)
  const { heap, gcMs, buffers, cpuMs, held, out } = await told
  return {
    heap: heap * perGiB,
    buffers: buffers * perGiB,
    gcMs: gcMs * perGiB,
    cpuMs: cpuMs * perGiB,
    held,
    out,
    wrong,
  }
}

async function start({ path, pool }, sum) {
  const child = startChild(SERVER, { args: [pool], env: { DREY_NATIVE: path === 'native' ? '1' : '0' } })
  const { port, size } = await child.receive('ready')
  return { path, pool, child, port, size, sum: sum(size) }
}

/** That of the bytes that the server's origin gives. */
function sumOf(size) {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at += 1) bytes[at] = (at * 7 + (at >> 8) * 13) & 0xff
  return crc32c(bytes)
}

/** @param {{ quick: boolean, say: (text?: string) => void }} how */
export async function run({ quick, say }) {
  const rounds = quick ? 3 : 5
  const count = quick ? 100 : 500
  const servers = []
  for (const way of WAYS) servers.push(await start(way, sumOf))
  const rows = []
  try {
    for (const workload of WORKLOADS) {
      const samples = new Map(servers.map((server) => [server, []]))
      for (const server of servers) await serve(server, workload, 60)
      for (let round = 0; round < rounds; round += 1) {
        for (const server of servers) samples.get(server).push(await measured(server, workload, count))
      }
      for (const [{ path, pool }, all] of samples) {
        const middle = (field) => median(all.map((one) => one[field]))
        rows.push({
          workload: workload.name,
          what: workload.what,
          path,
          pool,
          heap: middle('heap'),
          buffers: middle('buffers'),
          gcMs: middle('gcMs'),
          cpuMs: middle('cpuMs'),
          held: Math.max(...all.map(({ held }) => held)),
          out: Math.max(...all.map(({ out }) => out)),
          wrong: all.reduce((sum, { wrong }) => sum + wrong, 0),
        })
      }
    }
  } finally {
    for (const { child } of servers) await child.stop()
  }
  say(
    `  values of ${showMiB(servers[0].size)}, ${CONNECTIONS} connections at a time; ${rounds} rounds of ${count} values, medians; all for a GiB that was served`,
  )
  say()
  say(layOut(HEAD, rows.map(rowOf)))
  say('  heap, Buffers: bytes allocated; held: by the pool, at the end of a round, not for a GiB')
  return { figures: rows, claims: claimsOf(rows) }
}

const HEAD = ['workload', 'path', 'pool', 'heap', 'Buffers', 'collections', 'processor', 'held']

function rowOf({ what, path, pool, heap, buffers, gcMs, cpuMs, held }) {
  return [
    what,
    path,
    pool,
    showMiB(heap),
    showMiB(buffers),
    `${digits(gcMs)} ms`,
    `${digits(cpuMs)} ms`,
    held === 0 ? '-' : showMiB(held),
  ]
}

function claimsOf(rows) {
  const wrong = rows.reduce((sum, row) => sum + row.wrong, 0)
  const out = Math.max(...rows.map((row) => row.out))
  const streaming = rows.filter(({ workload }) => !workload.startsWith('near'))
  const without = (row) =>
    rows.find((one) => one.workload === row.workload && one.path === row.path && one.pool === 'off')
  const shares = streaming
    .filter(({ pool }) => pool === 'on')
    .map((row) => row.buffers / without(row).buffers)
  return [
    { claim: 'every value is right, by length and CRC32C', measured: `${wrong} wrong`, holds: wrong === 0 },
    { claim: 'nothing of the pool is out between rounds', measured: String(out), holds: out === 0 },
    {
      claim: 'with the pool what passes through the cache takes less than a tenth of the Buffers',
      measured: `${digits(Math.max(...shares) * 100)} % at most`,
      holds: shares.every((share) => share < 0.1),
    },
  ]
}
