import { EventEmitter } from 'node:events'
import { Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { Cursor } from '../../../lib/cache/cursor.js'
import { Flow } from '../../../lib/cache/flow.js'
import { type BodyReader, EntryReader } from '../../../lib/cache/reader.js'
import { writeOut } from '../../../lib/cache/sink.js'
import { Spool } from '../../../lib/cache/spool.js'
import { Tier } from '../../../lib/cache/tier.js'
import { type Metadata, memoryStore, type StoredEntry } from '../../../lib/index.js'
import { patterned } from '../../helpers/bodies.js'
import { FakeClock } from '../../helpers/clock.js'
import { turns } from '../../helpers/gate.js'

/** I9: what is lent is held until the callback of its write, whatever happens to the reading meanwhile. */

const SIZE = 200_000
const STEP = 50_000

interface SlowSocket {
  readonly socket: Socket
  readonly chunks: Uint8Array[]
  readonly callbacks: Array<(error?: Error | null) => void>
}

/**
 * A socket that takes what it is given and tells when a test says. All sockets are so until the end of the test: one with methods of its own
 * would be lent nothing.
 */
function slowSocket(): SlowSocket {
  const chunks: Uint8Array[] = []
  const callbacks: SlowSocket['callbacks'] = []
  vi.spyOn(Socket.prototype, '_write').mockImplementation((chunk, _encoding, done) => {
    chunks.push(chunk)
    callbacks.push(done)
  })
  vi.spyOn(Socket.prototype, '_final').mockImplementation((done) => done())
  vi.spyOn(Socket.prototype, '_destroy').mockImplementation(function (this: Socket, error, done) {
    // As a handle does: it closes later, and its pending writes are called back before.
    setImmediate(() => {
      for (const callback of callbacks.splice(0)) callback(error ?? new Error('closed'))
      done(error)
      setImmediate(() => this.emit('close', true))
    })
  })
  return { socket: new Socket(), chunks, callbacks }
}

afterEach(() => vi.restoreAllMocks())

function entry(): { readonly reader: BodyReader; readonly value: Buffer; readonly released: () => boolean } {
  const value = patterned(SIZE)
  let released = false
  const metadata: Metadata = {
    size: SIZE,
    cachedAt: 0,
    freshUntil: 1,
    staleUntil: 1,
    staleIfErrorUntil: 1,
    negative: false,
    tags: [],
  }
  const stored: StoredEntry = {
    metadata,
    read: () => 0,
    view: (position) => {
      if (released) throw new Error('viewed after release')
      return value.subarray(position, position + STEP)
    },
    release: () => {
      if (released) throw new Error('released twice')
      released = true
    },
  }
  const tier = new Tier(memoryStore({ maxBytes: 2 ** 20 }))
  return { reader: new EntryReader('k', stored, tier), value, released: () => released }
}

it('an entry stays open until the socket has called back, when all goes well (I9)', async () => {
  const { reader, value, released } = entry()
  const { socket, chunks, callbacks } = slowSocket()
  const flow = writeOut(new Cursor(reader, 'k', undefined), socket, () => undefined)
  void flow.done.finally(() => reader.release())
  for (let at = 0; at < SIZE; at += STEP) {
    expect(released()).toBe(false)
    callbacks.shift()!()
    await turns(2)
  }
  await flow.done
  await turns(1)
  expect(released()).toBe(true)
  // Lent, not copied.
  expect(chunks.map((chunk) => chunk.buffer === value.buffer)).toEqual(Array(4).fill(true))
  socket.destroy()
})

it('an entry stays open until the socket has called back, when the reading is stopped', async () => {
  const { reader, released } = entry()
  const { socket, chunks } = slowSocket()
  const flow = writeOut(new Cursor(reader, 'k', undefined), socket, () => undefined)
  expect(chunks.length).toBe(1)
  flow.stop(new Error('enough'))
  await expect(flow.done).rejects.toThrow('enough')
  reader.release()
  expect(released()).toBe(false)
  await turns(3)
  expect([socket.closed, released()]).toEqual([true, true])
})

it('a fill keeps its draft until what it lent came back, also when it failed and its readers left', async () => {
  const store = memoryStore({ maxBytes: 2 ** 20 })
  store.open({ now: () => 0, onEvict: () => undefined, hearsEvictions: () => true })
  const tier = new Tier(store)
  const events = new EventEmitter()
  const flow = new Flow(
    {
      key: 'k',
      source: {
        pieces: {
          next: () =>
            new Promise((resolve) => events.once('piece', (piece) => resolve({ done: false, value: piece }))),
          cancel: () => undefined,
        },
      },
      declared: undefined,
      isInvalidated: () => false,
      abandon: () => false,
      metadata: () => {
        throw new Error('never whole')
      },
      refused: undefined,
    },
    tier,
    new FakeClock(),
    { key: 'k', kind: 'fill', fenced: false },
    {
      onBytes: () => undefined,
      onFirstPiece: () => undefined,
      onLastPiece: () => undefined,
      onAbandoned: () => undefined,
      onSettled: () => undefined,
      onCommitting: () => undefined,
      onCommit: () => undefined,
    },
  )
  const reader = flow.join()
  void flow.run()
  events.emit('piece', patterned(STEP))
  await turns(1)
  const lent = reader.lend(0) as Uint8Array
  expect(lent.length).toBeGreaterThan(0)
  expect(patterned(STEP).subarray(0, lent.length).equals(lent)).toBe(true)
  flow.fail(new Error('reset'))
  reader.release()
  expect(store.stats().pinnedBytes).toBeGreaterThan(STEP)
  reader.returned(lent)
  expect(store.stats().pinnedBytes).toBe(0)
})

it('a draft that was lent from is not dropped when the body goes past it', async () => {
  const store = memoryStore({ maxBytes: 2 ** 20, maxItemBytes: 2 * STEP })
  store.open({ now: () => 0, onEvict: () => undefined, hearsEvictions: () => true })
  const spool = new Spool(new Tier(store), 'k', undefined, undefined, () => undefined)
  for (let at = 0; at < 3; at += 1) expect(spool.take(patterned(STEP, at), 0)).toBe(true)
  expect([spool.refused, spool.passing, spool.whole]).toEqual(['too-large', true, false])
  spool.discardBefore(2 * STEP, true)
  expect(store.stats().pinnedBytes).toBeGreaterThan(0)
  spool.discardBefore(2 * STEP, false)
  expect(store.stats().pinnedBytes).toBe(0)
  expect(patterned(STEP, 2).equals(spool.view(2 * STEP))).toBe(true)
})
