/*
 * In a process of its own: one contestant moves objects of one size, again and again, and says how fast, and how much
 * memory it took at most. The bytes of every object are checked.
 */

import { once } from 'node:events'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { BufferPool } from '../../../dist/buffers/pool.js'
import { crc32c } from '../../../dist/native/crc32c.js'
import { followParent, fromParent } from '../../shared/child.mjs'
import { residentBytes } from '../../shared/resident.mjs'

const [contestant, given] = process.argv.slice(2)
const size = Number(given)
const folder = mkdtempSync(join(tmpdir(), 'drey-streams-'))
const path = join(folder, 'source')
const bytes = Buffer.alloc(size)
for (let at = 0; at < size; at += 1) bytes[at] = (at * 7 + (at >> 8) * 13) & 0xff
writeFileSync(path, bytes)
const expected = crc32c(bytes)
const pool = new BufferPool({ enabled: !contestant.endsWith('pool off') })

/** What a server in this process got, once it has all of an object. */
const server = createServer({ allowHalfOpen: true })
server.listen(join(folder, 'socket'))
await once(server, 'listening')

async function toSocket(move) {
  const socket = connect(server.address())
  const [peer] = await once(server, 'connection')
  const got = check(peer)
  await move(socket)
  await got
  socket.destroy()
  peer.destroy()
}

async function check(pieces) {
  let sum = 0
  let length = 0
  for await (const piece of pieces) {
    sum = crc32c(piece, sum)
    length += piece.length
  }
  if (length !== size || sum !== expected) throw new Error(`${contestant}: the bytes are wrong`)
}

const pieces = () =>
  Readable.from(
    (function* () {
      for (let at = 0; at < size; at += 65_536) yield Buffer.from(bytes.subarray(at, at + 65_536))
    })(),
    { objectMode: false },
  )

const CONTESTANTS = {
  'copy, pool on': () => toSocket((socket) => pool.copy({ path }, socket)),
  'copy, pool off': () => toSocket((socket) => pool.copy({ path }, socket)),
  pipeline: () => toSocket((socket) => pipeline(createReadStream(path), socket)),
  'tee, pool on': () => teeing(),
  'tee, pool off': () => teeing(),
  'two PassThroughs': () =>
    toSocket(async (socket) => {
      const [one, other] = [new PassThrough(), new PassThrough()]
      const source = pieces()
      source.pipe(one)
      source.pipe(other)
      await Promise.all([check(one), pipeline(other, socket)])
    }),
  'web tee()': () =>
    toSocket(async (socket) => {
      const [one, other] = Readable.toWeb(pieces()).tee()
      await Promise.all([check(one), pipeline(Readable.fromWeb(other), socket)])
    }),
}

function teeing() {
  return toSocket(async (socket) => {
    const tee = pool.tee(pieces(), socket)
    await check(tee.stream())
    const { status } = await tee.written
    if (status !== 'whole') throw new Error(`${contestant}: the sink is ${status}`)
  })
}

followParent()
const run = CONTESTANTS[contestant]
for (let i = 0; i < 3; i += 1) await run()
process.send({ type: 'ready' })
const { ms } = await fromParent('run')
const before = residentBytes(process.pid)
let resident = before
let buffers = 0
let objects = 0
const begun = performance.now()
let now = begun
do {
  await run()
  objects += 1
  now = performance.now()
  if (objects % 16 !== 1 && size < 2 ** 20) continue
  resident = Math.max(resident, residentBytes(process.pid))
  buffers = Math.max(buffers, process.memoryUsage().arrayBuffers)
} while (now - begun < ms)
process.send({
  type: 'ran',
  rate: (objects * size) / ((now - begun) / 1000),
  resident: resident - before,
  buffers,
})
await pool.close()
server.close()
rmSync(folder, { recursive: true })
process.disconnect()
