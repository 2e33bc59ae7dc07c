import type { Timer } from '../../../clock.js'
import { ClosedError, type DreyError, NoSpaceError } from '../../../errors.js'
import { codeOf, isNoSpace, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR, syncFolder, writeFully } from '../env.js'
import { failure } from '../failure.js'
import {
  encodeRecord,
  FIXED_HEAD,
  FLAG,
  KIND,
  NOT_KNOWN,
  type RecordParts,
  recordBytesOf,
} from '../format/record.js'
import { DURABILITY, encodeSegment, SEGMENT_HEADER } from '../format/segment.js'
import { allotment } from '../space.js'
import { type Append, type AppendOptions, bare, type Item, type Outcome } from './append.js'
import { type Core, headContext, logFolder, segmentPath } from './core.js'
import { BATCH, Placed } from './placed.js'
import { newSegment, type Segment } from './segments.js'

/** A bound of one write. */
const MOST_AT_ONCE = 4 * 2 ** 20
/** With durability 'none', what may wait in the buffer, for how long, and what makes callers wait. */
const LINGER_BYTES = 2 ** 20
const LINGER_MS = 50
const LINGER_MOST = 8 * 2 ** 20
/** Room for the record of kind end. */
const END_BYTES = FIXED_HEAD

const END: RecordParts = bare(KIND.end)

/**
 * The one that appends to the log, and gives records their places, in the order in which they were asked for (D3).
 *
 * While a write is under way, what comes is gathered for the next one (D5). A write that fails ends its segment: nothing of
 * it becomes visible, and the next begins another (D6).
 *
 * Invariants: one `#run` at a time; an item of `#queue` is settled exactly once; what is before `active.end` is written and
 * applied, and nothing behind it was acknowledged.
 */
export class Writer {
  readonly #core: Core
  /** Makes room for `bytes` without the writer's help, evicting if it must. */
  readonly #starving: (bytes: number) => Promise<boolean>
  #queue: Item[] = []
  #queued = 0
  #fd = -1
  #running: Promise<void> | undefined
  #lingering: Timer | undefined
  #starved = false
  #closed = false
  /** This owner has begun a segment, which a loss of power does not take. */
  #known = false
  /** Where the segment ended that was active last. */
  #ended = { segment: 1, offset: SEGMENT_HEADER }

  constructor(core: Core, starving: (bytes: number) => Promise<boolean>) {
    this.#core = core
    this.#starving = starving
    const last = [...core.segments.all()].at(-1)
    if (last !== undefined) this.#ended = { segment: last.number, offset: last.end }
  }

  /** End of the log as far as it is applied. */
  get position(): { readonly segment: number; readonly offset: number } {
    const { active } = this.#core.segments
    return active === undefined ? this.#ended : { segment: active.number, offset: active.end }
  }

  /** Bytes that wait to be written. */
  get waiting(): number {
    return this.#queued
  }

  /**
   * Writes records, one after another; with `batch`, all or none.
   *
   * @throws (rejects) what the system says, `ERR_DREY_IO`; `ERR_DREY_CLOSED`
   */
  async append(appends: readonly Append[], options: AppendOptions = {}): Promise<Outcome> {
    const { settled } = options
    const written = this.#enqueue(appends, options)
    if (settled !== undefined) written.then(settled, () => settled('failed'))
    const lingers =
      options.early === true && this.#core.config.durability === 'none' && this.#queued <= LINGER_MOST
    if (!lingers || this.#queued >= LINGER_BYTES) this.#start()
    else this.#lingering ??= this.#core.clock.after(LINGER_MS, () => this.#start(), true)
    // With its place it is acknowledged; whoever wants to know more than that asks for more durability.
    if (!lingers || this.#closed) return written
    written.catch(() => undefined)
    return 'done'
  }

  /** Resolves when all that was asked for before is settled. */
  async flush(): Promise<void> {
    await this.append([])
  }

  /** Ends the active segment, if there is anything in it, so that it can be reclaimed. */
  async rotate(): Promise<void> {
    if (this.#closed || this.#starved) return
    await new Promise<void>((resolve) => {
      const settle = (): void => resolve()
      this.#queue.push({ appends: [], batch: false, ends: true, copy: true, bytes: 0, settle })
      this.#start()
    })
  }

  /**
   * When writes are acknowledged, from a new segment on, which says so: `change` makes it so, once all that was asked for before is written.
   * With `sync`, that is synced first. Rejects with what the system says, and `change` was not called then.
   */
  async retune(sync: boolean, change: () => void): Promise<void> {
    await this.#exclusive(async () => {
      while (this.#queue.length > 0) await this.#drain()
      await this.#seal()
      if (sync) await this.#syncAll()
      change()
    })
  }

  async #syncAll(): Promise<void> {
    const { env, dir, segments } = this.#core
    for (const { number } of [...segments.all()]) {
      try {
        const fd = await env.open(segmentPath(dir, number), O_RDWR | O_NOFOLLOW)
        await env.datasync(fd).finally(() => env.close(fd))
      } catch (error) {
        // It was reclaimed meanwhile.
        if (codeOf(error) !== 'ENOENT') throw error
      }
    }
    await syncFolder(env, logFolder(dir))
  }

  /** Begins a segment, at open. @throws as `append` */
  async begin(): Promise<void> {
    await this.#exclusive(() => this.#begin())
  }

  /** Writes what is queued and, with `end`, the record that says so; then nothing more is taken. Never rejects. */
  async close(end: boolean): Promise<boolean> {
    this.#closed = true
    while (this.#queue.length > 0 || this.#running !== undefined) {
      this.#start()
      await this.#running
    }
    let ended = false
    await this.#exclusive(async () => {
      ended = end && (await this.#writeEnd())
      await this.#seal()
    })
    return ended
  }

  /** Has the system write out all of the active segment. @throws what the system says */
  async sync(): Promise<void> {
    const { active } = this.#core.segments
    if (active === undefined || this.#fd === -1) return
    const { end } = active
    await this.#core.env.datasync(this.#fd)
    active.synced = Math.max(active.synced, end)
  }

  async #enqueue(
    appends: readonly Append[],
    { batch = false, copy = false }: AppendOptions,
  ): Promise<Outcome> {
    if (this.#closed) throw new ClosedError('the file store is closed')
    if (copy && this.#starved) return 'no-room'
    let bytes = batch ? recordBytesOf(BATCH) : 0
    for (const { parts } of appends) bytes += recordBytesOf(parts)
    if (bytes > this.#core.config.segmentBytes - 2 * SEGMENT_HEADER - END_BYTES) return 'no-room'
    this.#queued += bytes
    return new Promise<Outcome>((resolve, reject) => {
      const settle = (outcome: Outcome | DreyError): void =>
        typeof outcome === 'string' ? resolve(outcome) : reject(outcome)
      this.#queue.push({ appends, batch, ends: false, copy, bytes, settle })
    })
  }

  #start(): void {
    this.#lingering?.cancel()
    this.#lingering = undefined
    if (this.#running === undefined && this.#queue.length > 0) void this.#exclusive(() => this.#drain())
  }

  async #exclusive(work: () => Promise<void>): Promise<void> {
    while (this.#running !== undefined) await this.#running
    const running = work()
    const settled = running.then(
      () => undefined,
      () => undefined,
    )
    this.#running = settled
    try {
      await running
    } finally {
      this.#running = undefined
      if (this.#queue.length > 0) this.#start()
    }
  }

  async #drain(): Promise<void> {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      if (first.ends) {
        this.#queue.shift()
        await this.#seal()
        first.settle('done')
        continue
      }
      try {
        await this.#ensureRoom(first.bytes)
        await this.#write(this.#take(), false)
      } catch (error) {
        this.#refuse(error)
      }
    }
  }

  /** Items that go out together: as many as fit the segment. */
  #take(): Item[] {
    const active = this.#core.segments.active!
    let room = Math.min(this.#roomIn(active), MOST_AT_ONCE)
    let count = 0
    for (const { bytes, ends } of this.#queue) {
      if (count > 0 && (ends || bytes > room)) break
      room -= bytes
      count += 1
    }
    const items = this.#queue.splice(0, count)
    for (const { bytes } of items) this.#queued -= bytes
    return items
  }

  /** The first of the queue is told why it is not written; with it, all that is queued when there is no room. */
  #refuse(error: unknown): void {
    const items = this.#queue.splice(0)
    this.#queued = 0
    for (const item of items) {
      item.settle(
        isRoom(error) ? 'no-room' : failure(error, logFolder(this.#core.dir), 'beginning a segment'),
      )
    }
  }

  #roomIn(active: Segment): number {
    return this.#core.config.segmentBytes - END_BYTES - active.end
  }

  /** Sees to a segment that has room for `bytes`. @throws what the system says */
  async #ensureRoom(bytes: number): Promise<void> {
    const { segments, config } = this.#core
    const { active } = segments
    if (active !== undefined) {
      const heavy = active.weight >= Math.max(config.segmentBytes, config.maxBytes / 64)
      if (bytes <= this.#roomIn(active) && !heavy) return
      await this.#seal()
    }
    await this.#begin()
  }

  async #begin(): Promise<void> {
    const { ledger, config } = this.#core
    const charge = allotment(config.segmentBytes)
    if (!(await this.#core.free.allows(charge)) || !ledger.reserve(charge)) {
      const made = await this.#makeRoom(charge)
      const free = await this.#core.free.allows(charge, true)
      if (!made || !free || !ledger.reserve(charge)) throw new NoSpaceError('there is no room for a segment')
    }
    try {
      await this.#create(charge)
    } catch (error) {
      this.#core.tally.diskErrors += 1
      throw error
    }
  }

  /** Copies would wait for us, and we for the room that giving them up makes: they are refused meanwhile. */
  async #makeRoom(bytes: number): Promise<boolean> {
    this.#starved = true
    for (const item of this.#queue.filter(({ copy }) => copy)) item.settle('no-room')
    this.#queue = this.#queue.filter(({ copy }) => !copy)
    this.#queued = this.#queue.reduce((sum, item) => sum + item.bytes, 0)
    try {
      return await this.#starving(bytes)
    } finally {
      this.#starved = false
    }
  }

  async #create(charge: number): Promise<void> {
    const { env, dir, config, segments, header, contexts, bootId, ledger } = this.#core
    const number = this.#core.nextSegment
    this.#core.nextSegment += 1
    const path = segmentPath(dir, number)
    let fd = -1
    try {
      fd = await env.open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW)
      await env.truncate(fd, config.segmentBytes)
      const head = encodeSegment(
        {
          number,
          oldest: segments.oldest(number),
          nextSequence: this.#core.nextSequence,
          bootId,
          durability: DURABILITY[config.durability],
          begunAt: Math.max(0, Math.floor(this.#core.now())),
        },
        header.storeId,
        contexts.segment,
      )
      const begun = Buffer.concat([head, this.#doubtRecord(number)])
      await writeFully(env, fd, begun, 0)
      const segment = newSegment(number, begun.length, charge)
      // The first one says that the log goes on behind a clean image: were all of it lost with the power, so were its
      // deletes, and nobody would doubt the image.
      if (config.durability === 'power' || !this.#known) {
        await env.datasync(fd)
        await syncFolder(env, logFolder(dir))
        this.#known = true
        segment.synced = segment.end
      }
      segments.add(segment)
      segments.active = segment
      this.#fd = fd
    } catch (error) {
      if (fd !== -1) await env.close(fd).catch(() => undefined)
      try {
        await env.unlink(path)
        ledger.release(charge)
      } catch {
        // Not there, as a rule, for it could not be made. What is there is found by the next open; its bytes are few.
        ledger.release(fd === -1 ? charge : charge - allotment(SEGMENT_HEADER))
      }
      throw error
    }
  }

  /** Each segment says again what is in doubt, so that none before it is needed for that. */
  #doubtRecord(segment: number): Buffer {
    const { doubt, contexts } = this.#core
    if (doubt === 0) return Buffer.alloc(0)
    const parts = bare(KIND.doubt, FLAG.copied)
    const bytes = Buffer.alloc(recordBytesOf(parts))
    const place = { offset: SEGMENT_HEADER, sequence: doubt, unsynced: NOT_KNOWN }
    encodeRecord(parts, place, headContext(contexts, segment), bytes, 0)
    return bytes
  }

  /** Cuts the active segment where it ends. What cannot be cut stays charged as it is. */
  async #seal(): Promise<void> {
    const { env, segments, ledger, tally } = this.#core
    const { active } = segments
    if (active === undefined) return
    const fd = this.#fd
    segments.active = undefined
    this.#fd = -1
    this.#ended = { segment: active.number, offset: active.end }
    try {
      await env.truncate(fd, active.end)
      const charge = allotment(active.end)
      ledger.release(active.charged - charge)
      active.charged = charge
    } catch {
      // Its tail is never indexed, and the next open cuts it or takes it for what it is.
      tally.diskErrors += 1
    }
    await env.close(fd).catch(() => {
      tally.diskErrors += 1
    })
  }

  async #writeEnd(): Promise<boolean> {
    const { env, segments, contexts, config } = this.#core
    const { active } = segments
    if (active === undefined) return false
    const bytes = Buffer.alloc(END_BYTES)
    const place = {
      offset: active.end,
      sequence: this.#core.nextSequence,
      unsynced: this.#unsynced(active.end),
    }
    encodeRecord(END, place, headContext(contexts, active.number), bytes, 0)
    try {
      await writeFully(env, this.#fd, bytes, active.end)
      if (config.durability === 'power') await env.datasync(this.#fd)
    } catch {
      // Without it the next open takes the end for one that came unawares.
      this.#core.tally.diskErrors += 1
      return false
    }
    this.#core.nextSequence += 1
    active.end += END_BYTES
    return true
  }

  #unsynced(offset: number): number {
    const { config, segments } = this.#core
    return config.durability === 'power' ? (offset - segments.active!.synced) / 8 : NOT_KNOWN
  }

  async #write(items: readonly Item[], again: boolean): Promise<void> {
    const { env, segments, config, contexts, tally } = this.#core
    const active = segments.active!
    const placed = this.#place(items, active)
    if (placed.bytes.length === 0) return placed.apply()
    const context = headContext(contexts, active.number)
    placed.encode(context)
    try {
      await writeFully(env, this.#fd, placed.bytes, active.end)
      if (config.durability === 'power') await env.datasync(this.#fd)
    } catch (error) {
      tally.diskErrors += 1
      await this.#seal()
      return this.#failed(items, error, again)
    }
    active.end += placed.bytes.length
    if (config.durability === 'power') active.synced = active.end
    tally.writtenBytes += placed.bytes.length
    placed.apply()
  }

  async #failed(all: readonly Item[], error: unknown, again: boolean): Promise<void> {
    const items = all.filter(({ copy }) => !copy)
    for (const item of all) if (item.copy) item.settle('no-room')
    if (isNoSpace(error) && !again && items.length > 0) {
      try {
        await this.#makeRoom(allotment(this.#core.config.segmentBytes))
        const bytes = items.reduce((sum, item) => sum + item.bytes, 0)
        await this.#ensureRoom(bytes)
        return await this.#write(items, true)
      } catch {
        // The first error says more than that there was no second attempt.
      }
    }
    for (const item of items) {
      item.settle(isNoSpace(error) ? 'no-room' : failure(error, logFolder(this.#core.dir), 'writing the log'))
    }
  }

  /** Gives records their places behind the end of `active`. */
  #place(items: readonly Item[], active: Segment): Placed {
    const placed = new Placed(active.number)
    let offset = active.end
    const put = (parts: RecordParts, append: Append | undefined): number => {
      let sequence = append?.sequence
      if (sequence === undefined) {
        sequence = this.#core.nextSequence
        this.#core.nextSequence += 1
      }
      const at = placed.add(parts, { offset, sequence, unsynced: this.#unsynced(offset) }, append)
      offset += recordBytesOf(parts)
      return at
    }
    const changed = new Set<number>()
    for (const item of items) {
      const wanted = item.appends.filter((append) => append.wanted?.(changed) ?? true)
      if (wanted.length < item.appends.length && (item.batch || wanted.length === 0)) {
        placed.settled.push([item, 'gone'])
        continue
      }
      const from = placed.count
      for (const append of wanted) {
        const { parts } = append
        put(item.batch ? { ...parts, flags: parts.flags | FLAG.member } : parts, append)
        if (append.lo !== undefined) changed.add(append.lo)
        active.weight += Math.max(append.weight ?? 0, recordBytesOf(parts))
      }
      if (item.batch) placed.endBatch(from, put(BATCH, undefined))
      placed.settled.push([item, 'done'])
    }
    placed.allocate(offset - active.end)
    return placed
  }
}

/** Whether it was for want of room. */
export function isRoom(error: unknown): boolean {
  return error instanceof NoSpaceError || isNoSpace(error)
}
