/*
 * The strategies of a copy beside each other, by size: a file to a file, and a file to a socket. One process; they
 * take turns object by object, so that the machine's moods meet all of them, and the median of the pairs counts.
 * What `adaptive` chooses has to be among the winners, and one that wins nowhere has to be chosen nowhere.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BufferPool } from '../../../dist/buffers/pool.js'
import { crc32c } from '../../../dist/native/crc32c.js'
import { median } from '../../shared/statistics.mjs'
import { digits, showBytes } from '../../shared/table.mjs'

const KiB = 1024
const MiB = KiB * KiB
const SIZES = [256 * KiB, 512 * KiB, MiB, 4 * MiB, 16 * MiB]
const STRATEGIES = ['pooled', 'chunked', 'direct']
/** What is chosen may be slower than the fastest by this much: less cannot be told apart. */
const SLACK = 1.1

export async function suite({ quick }) {
  const folder = mkdtempSync(join(tmpdir(), 'drey-strategies-'))
  const server = createServer({ allowHalfOpen: true })
  server.listen(join(folder, 'socket'))
  await once(server, 'listening')
  const pools = new Map(
    [...STRATEGIES, 'adaptive'].map((name) => [name, new BufferPool({ largeObjectStrategy: name })]),
  )
  const rows = []
  const claims = []
  const wins = new Map(STRATEGIES.map((name) => [name, 0]))
  const chosen = new Map(STRATEGIES.map((name) => [name, 0]))
  try {
    for (const size of SIZES) {
      const bytes = Buffer.alloc(size, 'drey')
      const path = join(folder, 'source')
      writeFileSync(path, bytes)
      const expected = crc32c(bytes)
      const sinks = {
        'file, with a checksum': (pool) => toFile(pool, path, join(folder, 'target'), expected),
        socket: (pool) => toSocket(pool, path, server, expected),
      }
      for (const [sink, move] of Object.entries(sinks)) {
        const times = await turns(pools, move, Math.max(quick ? 15 : 60, Math.ceil((32 * MiB) / size)))
        const of = (name) => times.get(name).us
        const fastest = STRATEGIES.reduce((best, name) => (of(name) < of(best) ? name : best))
        const { strategy } = times.get('adaptive')
        wins.set(fastest, wins.get(fastest) + 1)
        chosen.set(strategy, chosen.get(strategy) + 1)
        rows.push([
          `${showBytes(size)} to a ${sink}`,
          ...STRATEGIES.map((name) => `${digits(of(name))} µs`),
          `${digits(of('adaptive'))} µs, ${strategy}`,
          `${digits(of('adaptive') / of(fastest))} ×`,
          fastest,
        ])
        claims.push({
          what: `${showBytes(size)} to a ${sink}: adaptive takes at most ${SLACK} of the fastest`,
          actual: `${digits(of('adaptive') / of(fastest))} ×`,
          holds: of('adaptive') <= SLACK * of(fastest),
        })
      }
    }
  } finally {
    for (const pool of pools.values()) await pool.close()
    server.close()
    rmSync(folder, { recursive: true })
  }
  return {
    notes: [
      'time of one object from call to end, median; adaptive: and what it chose; every byte is checked',
    ],
    table: [['object', ...STRATEGIES, 'adaptive', 'adaptive ÷ fastest', 'fastest'], ...rows],
    claims: [
      ...claims,
      ...STRATEGIES.map((name) => ({
        what: `${name} is chosen only if it wins a row`,
        actual: `chosen ${chosen.get(name)}, wins ${wins.get(name)}`,
        holds: chosen.get(name) === 0 || wins.get(name) > 0,
      })),
    ],
  }
}

/** Medians of the time that each pool takes, in microseconds, and the strategy that it says it took. */
async function turns(pools, move, count) {
  const times = new Map([...pools.keys()].map((name) => [name, { all: [], strategy: '' }]))
  for (let turn = 0; turn < count; turn += 1) {
    // Each goes first as often as the others.
    const order = [...pools.keys()]
    order.push(...order.splice(0, turn % order.length))
    for (const name of order) {
      const one = times.get(name)
      const { us, strategy } = await move(pools.get(name))
      one.all.push(us)
      one.strategy = strategy
    }
  }
  for (const one of times.values()) one.us = median(one.all)
  return times
}

async function toFile(pool, path, target, expected) {
  const begun = performance.now()
  const { strategy, crc32c: sum } = await pool.copy({ path }, { path: target }, { checksum: true })
  const us = (performance.now() - begun) * 1000
  if (sum !== expected || crc32c(await readFile(target)) !== expected) throw new Error('the bytes are wrong')
  return { us, strategy }
}

async function toSocket(pool, path, server, expected) {
  const socket = connect(server.address())
  const [peer] = await once(server, 'connection')
  let sum = 0
  peer.on('data', (piece) => {
    sum = crc32c(piece, sum)
  })
  const begun = performance.now()
  const [{ strategy }] = await Promise.all([pool.copy({ path }, socket), once(peer, 'end')])
  const us = (performance.now() - begun) * 1000
  socket.destroy()
  peer.destroy()
  if (sum !== expected) throw new Error('the bytes are wrong')
  return { us, strategy }
}
