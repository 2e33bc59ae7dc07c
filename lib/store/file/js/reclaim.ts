import { codeOf, readFully, syncFolder } from '../env.js'
import {
  blobSequenceOf,
  FIXED_HEAD,
  FLAG,
  isBlob,
  KIND,
  partsOf,
  type RecordHead,
  type RecordParts,
} from '../format/record.js'
import { SEGMENT_HEADER } from '../format/segment.js'
import { allotment, blobAllotment } from '../space.js'
import { type Append, bare, type Place } from './append.js'
import type { Blobs } from './blobs.js'
import { type Core, headContext, keyIdOf, logFolder, segmentPath } from './core.js'
import { ReclaimPace } from './pace.js'
import { type Segment, weightOf } from './segments.js'
import { ENTRY_BYTES, type IndexEntry } from './table.js'
import { partsFrom } from './value.js'
import { walk } from './walk.js'
import type { Writer } from './writer.js'

/** An entry that is about to go. */
interface Leaving {
  readonly entry: IndexEntry
  readonly key: string
  readonly keyHash: Buffer
  readonly blobSequence: number | undefined
  readonly expired: boolean
}

/** A current record of the segment that is reclaimed. */
interface Live extends Leaving {
  readonly rank: number
}

/** A record that is no current put, and must outlive its segment. */
interface Marker {
  readonly parts: RecordParts
  readonly sequence: number
  readonly lo: number
  readonly hi: number
}

/** Copies at once: enough to fill a write, few enough that reads come in between. */
const COPIES = 16
/** A segment of which less than this is current goes early. */
const DEAD_SHARE = 1 / 8
/** More are put together. */
const MANY_SEGMENTS = 192
/** How often it is looked for such. */
const NUDGES = 64
/** It is looked for what has expired after so many bytes for each entry, and after this part of `maxBytes`, at least. */
const LOOK_BYTES = 64
const LOOK_SHARE = 1 / 64
/** Shards of the index that are looked through between two turns of the loop. */
const LOOK_SHARDS = 16
/** Blobs that have expired, remembered at most, and removed in one step. */
const MOST_EXPIRED = 65_536
const EXPIRED_AT_ONCE = 16
/** Segments that one call of `makeRoom` reclaims at most. */
const MOST_SEGMENTS = 4096

/**
 * Gives segments back, oldest first: of each current record the policy says whether it is copied forward or evicted (D7).
 *
 * Whatever removes files of the log runs here, one after another. Invariants: a segment is removed only when nothing in the
 * index points into it; of any but the oldest, everything that still counts was copied forward before.
 */
export class Reclaimer {
  readonly #core: Core
  readonly #blobs: Blobs
  readonly #writer: () => Writer
  #tail: Promise<unknown> = Promise.resolve()
  readonly #pace: ReclaimPace
  #background = false
  #closed = false
  #nudges = 0
  /** What is under way is done in the background, and may wait. */
  #paced = false
  /** Entries with blobs that had expired when it was looked at last: they go first. */
  #expired: IndexEntry[] = []
  /** What had been written when it was looked at last. */
  #lookedAt = 0

  constructor(core: Core, blobs: Blobs, writer: () => Writer) {
    this.#core = core
    this.#blobs = blobs
    this.#writer = writer
    this.#pace = new ReclaimPace(core.clock, core.config.reclaimRate, () => core.tally.givenBytes)
  }

  /** Above this the store reclaims ahead of need. */
  get highMark(): number {
    const { config } = this.#core
    return config.maxBytes - 2 * allotment(config.segmentBytes)
  }

  /** Runs `work` when nobody else removes files of the log. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** Goes at least so many bytes a second in the background, from here on; 0 is without limit. */
  setRate(least: number): void {
    this.#pace.setLeast(least)
  }

  /** To be called when something was written: reclaims in the background if it is time. */
  nudge(): void {
    this.#nudges += 1
    // Looking through the segments takes a while where they are many.
    const { ledger } = this.#core
    const full = ledger.total > this.highMark || this.#indexFull
    if (!full && this.#nudges % NUDGES !== 0) return
    if (this.#background || this.#closed || !this.#due) return
    this.#background = true
    void this.#ahead().finally(() => {
      this.#background = false
    })
  }

  /** Waits, where the next segment of the log would find no room, or the index is full, until there is some as the policy says. */
  async admit(): Promise<void> {
    const { ledger, config } = this.#core
    const full = (): boolean =>
      this.#indexFull || ledger.total + allotment(config.segmentBytes) > ledger.maxBytes
    for (let count = 0; count < MOST_SEGMENTS && full(); count += 1) {
      const went = await this.#soon(async () => !full() || (await this.#step()))
      if (!went) return
    }
  }

  /** As `exclusively`, for somebody who waits. */
  #soon<T>(work: () => Promise<T>): Promise<T> {
    return this.#pace.hurry(() => this.exclusively(work))
  }

  get #indexFull(): boolean {
    return (this.#core.index.size + 1) * ENTRY_BYTES > this.#core.config.maxIndexBytes
  }

  /** Makes room for `bytes`, with `spare` left over, reclaiming as the policy says; false when all that is left is in use. */
  async makeRoom(bytes: number, spare: number): Promise<boolean> {
    const { ledger } = this.#core
    const fits = (): boolean => ledger.total + bytes <= ledger.maxBytes - spare
    for (let count = 0; count < MOST_SEGMENTS && !fits(); count += 1) {
      const went = await this.#soon(async () => fits() || (await this.#step()))
      if (went) continue
      // What was let go of may be on its way out.
      await this.#core.files.settled()
      return fits()
    }
    return fits()
  }

  /** Takes `bytes` for a blob, making room if it must; a segment's worth is left to the log, so that it can always go on. */
  async take(bytes: number): Promise<boolean> {
    const { ledger, config } = this.#core
    const spare = allotment(config.segmentBytes)
    this.nudge()
    if (!(await this.#leavesFree(bytes))) return false
    if (ledger.reserve(bytes, spare)) return true
    // All that evicting cannot give back stays.
    if (ledger.pinned + bytes + 2 * spare > ledger.maxBytes) return false
    return (await this.makeRoom(bytes, spare)) && ledger.reserve(bytes, spare)
  }

  /** Whether the file system has enough left, if need be after reclaiming. */
  async #leavesFree(bytes: number): Promise<boolean> {
    const { free } = this.#core
    if (await free.allows(bytes)) return true
    await this.#soon(() => this.#step())
    return free.allows(bytes, true)
  }

  /** The same for the writer, which cannot write copies meanwhile: only evicts. */
  async starving(bytes: number): Promise<boolean> {
    const { ledger } = this.#core
    const fits = (): boolean => ledger.total + bytes <= ledger.maxBytes
    for (let first = true; first || !fits(); first = false) {
      const went = await this.#soon(async () => (!first && fits()) || (await this.#oldest(false)))
      if (!went) return fits()
    }
    return true
  }

  /** Removes the segments before the one with the clear, and all blobs from before it. */
  cleared({ segment: number, sequence }: Place): Promise<void> {
    return this.#soon(async () => {
      const { segments } = this.#core
      for (const segment of [...segments.all()]) {
        if (segment.number < number && segment !== segments.active) await this.#remove(segment)
      }
      await this.#blobs.settled()
      await this.#blobs.sweep(sequence)
    })
  }

  /**
   * Copies all that is current forward out of the segments up to `through`, oldest first, and removes them: then nothing that is
   * in them counts any more, nor can anything older come back. Says whether that is done.
   */
  evacuate(through: number): Promise<boolean> {
    return this.exclusively(async () => {
      const { segments, tally } = this.#core
      const failed = tally.diskErrors
      for (const victim of [...segments.all()]) {
        if (victim.number > through || victim === segments.active) break
        const { live } = await this.#survey(victim)
        const copied = tally.diskErrors === failed && (await this.#copy(victim, live, false))
        if (!copied || victim.live > 0) return false
        await this.#remove(victim)
        if (tally.diskErrors > failed) return false
      }
      return true
    })
  }

  /** No more in the background. Resolves when nothing is under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#pace.close()
    await this.#tail
  }

  get #due(): boolean {
    return this.#core.ledger.total > this.highMark || this.#indexFull || this.#mostlyDead() !== undefined
  }

  async #ahead(): Promise<void> {
    while (!this.#closed && this.#due) {
      const went = await this.exclusively(async () => {
        // Somebody else, a clear as a rule, may have made room while this waited.
        if (this.#closed || !this.#due) return false
        this.#paced = true
        return this.#step().finally(() => {
          this.#paced = false
        })
      }).catch(() => {
        this.#core.tally.diskErrors += 1
        return false
      })
      if (!went) return
    }
  }

  /** Reclaims what costs least; says whether that may have helped. */
  async #step(): Promise<boolean> {
    if (await this.#evictExpired()) return true
    const dead = this.#mostlyDead()
    if (dead === undefined) return this.#oldest(true)
    // Tried once: then it goes when it is the oldest.
    dead.stuck = !(await this.#reclaim(dead, true, false))
    return true
  }

  /** A segment that is worth going early. The oldest goes as such. */
  #mostlyDead(): Segment | undefined {
    const { segments, ledger, config } = this.#core
    // Where nobody is short of room, what is dead does no harm; many small segments, one for each open, do.
    const short = ledger.total >= config.maxBytes / 2
    const many = segments.size > MANY_SEGMENTS
    if (!short && !many) return undefined
    const oldest = segments.oldestSealed()
    for (const segment of segments.all()) {
      if (segment === segments.active || segment === oldest || segment.stuck) continue
      const useful = segment.liveBytes - Math.min(segment.liveBytes, segment.expiredBytes)
      if (short && useful < segment.end * DEAD_SHARE) return segment
      if (many && segment.end < config.segmentBytes * DEAD_SHARE) return segment
    }
    return undefined
  }

  /** Reclaims the oldest segment; says whether there was one. Without any the active one is ended first, if the writer may. */
  async #oldest(copies: boolean): Promise<boolean> {
    const { segments } = this.#core
    const { active } = segments
    if (segments.oldestSealed() === undefined && copies && active !== undefined && active.live > 0) {
      await this.#writer().rotate()
    }
    const victim = segments.oldestSealed()
    if (victim === undefined) return false
    return this.#reclaim(victim, copies, true)
  }

  /** Says whether the segment is gone. @param oldest what is not copied may be forgotten without a record */
  async #reclaim(victim: Segment, copies: boolean, oldest: boolean): Promise<boolean> {
    const { policy, index, tally, segments } = this.#core
    policy.begin(index)
    if (this.#paced) await this.#pace.wait(victim.end)
    const found = await this.#survey(victim)
    const keep = copies ? this.#choose(found.live, victim, oldest) : []
    const kept = new Set(keep)
    const copied = await this.#copy(victim, keep, oldest)
    if (!oldest) {
      if (!copied || !(await this.#outlive(found.markers))) return false
      if (!(await this.#forget(found.live.filter((live) => !kept.has(live))))) return false
    }
    const evicted = oldest ? found.live.filter((live) => this.#leave(live)) : []
    if (victim.live > 0) {
      // Records that cannot be read: nobody can say of what.
      if (!oldest) return false
      index.removeIf(
        ({ segment }) => segment === victim.number,
        (entry) => {
          tally.corrupt += 1
          this.#blobs.drop(entry)
        },
      )
    }
    if (!oldest && segments.oldestSealed() === victim) return true
    await this.#remove(victim)
    // Behind the segment that names them: a death between the two leaves files that nobody names, and no entry without its own.
    for (const one of evicted) await this.#removeBlob(one)
    tally.reclaimed += 1
    return true
  }

  /** What of the segment is current. Of one that cannot be read, nothing is known. */
  async #survey(victim: Segment): Promise<{ readonly live: Live[]; readonly markers: Marker[] }> {
    const { env, dir, contexts, files, index, header, policy, tally } = this.#core
    const live: Live[] = []
    const markers: Marker[] = []
    const second = Math.floor(this.#core.now() / 1000)
    try {
      const file = await files.acquire(segmentPath(dir, victim.number))
      try {
        const context = headContext(contexts, victim.number)
        await walk(env, file.fd, SEGMENT_HEADER, victim.end, context, {
          record: (head, offset, bytes, at) => {
            if (head.kind !== KIND.put) {
              const marker = markerOf(head, bytes, at)
              if (marker !== undefined) markers.push(marker)
              return
            }
            const { key } = partsOf(head)
            const keyBytes = bytes.subarray(at + key, at + key + head.keyBytes)
            const id = keyIdOf(header.secret, keyBytes)
            const entry = index.get(id.lo, id.hi)
            if (entry?.segment !== victim.number || entry.offset !== offset) return
            live.push({
              entry,
              key: keyBytes.toString('utf8'),
              keyHash: id.hash,
              blobSequence: isBlob(head) ? blobSequenceOf(bytes, at) : undefined,
              expired: entry.expires <= second,
              rank: policy.rank(entry.policy),
            })
          },
          damage: () => undefined,
        })
      } finally {
        files.release(file)
      }
    } catch {
      tally.diskErrors += 1
    }
    return { live, markers }
  }

  /** Those that get another turn: the best, as far as half of the segment goes; of one that goes early, all that have not expired. */
  #choose(live: readonly Live[], victim: Segment, oldest: boolean): Live[] {
    const able = live.filter(({ expired, rank }) => !expired && (!oldest || rank > 0))
    if (!oldest) return able
    able.sort((a, b) => b.rank - a.rank)
    let room = Math.max(victim.liveBytes, victim.end) / 2
    return able.filter(({ entry }) => {
      room -= weightOf(entry)
      return room >= 0
    })
  }

  /** Copies records forward; says whether each is elsewhere now, or gone. */
  async #copy(victim: Segment, keep: readonly Live[], oldest: boolean): Promise<boolean> {
    const { dir, files, tally } = this.#core
    if (keep.length === 0) return true
    try {
      const file = await files.acquire(segmentPath(dir, victim.number))
      try {
        let all = true
        const inOrder = [...keep].sort((a, b) => a.entry.offset - b.entry.offset)
        for (let from = 0; from < inOrder.length; from += COPIES) {
          const some = inOrder.slice(from, from + COPIES)
          if (this.#paced) await this.#pace.wait(some.reduce((sum, { entry }) => sum + entry.length, 0))
          const went = await Promise.all(some.map((live) => this.#copyOne(file.fd, live, oldest)))
          all &&= went.every((one) => one)
          if (!all) break
        }
        return all
      } finally {
        files.release(file)
      }
    } catch {
      tally.diskErrors += 1
      return false
    }
  }

  async #copyOne(fd: number, { entry }: Live, turn: boolean): Promise<boolean> {
    const { env, index, contexts, policy } = this.#core
    const bytes = await readFully(env, fd, entry.length, entry.offset)
    const parts = partsFrom(bytes, entry, headContext(contexts, entry.segment))
    if (parts === undefined) return false
    const isCurrent = (): boolean => {
      const there = index.get(entry.lo, entry.hi)
      return there?.segment === entry.segment && there.offset === entry.offset
    }
    const append: Append = {
      parts: { ...parts, flags: (parts.flags | FLAG.copied) & ~FLAG.member },
      sequence: entry.sequence,
      lo: entry.lo,
      weight: weightOf(entry),
      wanted: (changed) => isCurrent() && !changed.has(entry.lo),
      apply: (place) => {
        if (!isCurrent()) return
        const there = index.get(entry.lo, entry.hi)!
        const turned = turn ? policy.turned(there.policy) : there.policy
        index.put({ ...there, segment: place.segment, offset: place.offset, policy: turned })
      },
    }
    // What is not wanted any more was replaced or deleted, which is as good; unless that fails, and then it is still there.
    const outcome = await this.#writer().append([append], { copy: true })
    return outcome === 'done' || (outcome === 'gone' && !isCurrent())
  }

  /** Copies forward what is no put: clears, and the deletes of keys that have no current one. */
  async #outlive(markers: readonly Marker[]): Promise<boolean> {
    for (const { parts, sequence, lo, hi } of markers) {
      if (parts.kind === KIND.delete && this.#core.index.has(lo, hi)) continue
      const outcome = await this.#writer().append(
        [{ parts: { ...parts, flags: FLAG.copied }, sequence, lo, apply: () => undefined }],
        { copy: true },
      )
      if (outcome !== 'done') return false
    }
    return true
  }

  /** Of a segment that goes early: what is not copied is deleted, for what it replaced may be in an older one. */
  async #forget(live: readonly Live[]): Promise<boolean> {
    for (const one of live) if (!(await this.#forgetOne(one))) return false
    return true
  }

  /** Says whether the entry is gone. */
  async #forgetOne(one: Leaving): Promise<boolean> {
    const { entry, keyHash } = one
    const isCurrent = (): boolean => {
      const there = this.#core.index.get(entry.lo, entry.hi)
      return there?.segment === entry.segment && there.offset === entry.offset
    }
    const append: Append = {
      parts: deletion(keyHash),
      lo: entry.lo,
      // A delete behind what took its place meanwhile would be one of that.
      wanted: (changed) => isCurrent() && !changed.has(entry.lo),
      apply: () => undefined,
    }
    const outcome = await this.#writer().append([append], { copy: true })
    if (outcome === 'done' && this.#leave(one)) await this.#removeBlob(one)
    return outcome !== 'no-room' && !isCurrent()
  }

  /** Looks through the index for what has expired, unless it did so just now. */
  async #lookForExpired(): Promise<void> {
    const { index, segments, tally, config } = this.#core
    const pause = Math.max(config.maxBytes * LOOK_SHARE, index.size * LOOK_BYTES)
    if (tally.writtenBytes - this.#lookedAt < pause) return
    this.#lookedAt = tally.writtenBytes
    const second = Math.floor(this.#core.now() / 1000)
    const found: IndexEntry[] = []
    for (const segment of segments.all()) segment.expiredBytes = 0
    for (let shard = 0; shard < index.shards; shard += 1) {
      if (shard % LOOK_SHARDS === LOOK_SHARDS - 1) await new Promise((go) => setImmediate(go))
      index.eachExpired(shard, second, (entry) => {
        const segment = segments.get(entry.segment)
        if (segment !== undefined) segment.expiredBytes += weightOf(entry)
        if (entry.blobUnits > 0 && found.length < MOST_EXPIRED) found.push(entry)
      })
    }
    this.#expired = found
  }

  /** Removes some of the blobs that have expired; says whether there were any. */
  async #evictExpired(): Promise<boolean> {
    await this.#lookForExpired()
    const { index, tally } = this.#core
    const second = Math.floor(this.#core.now() / 1000)
    let went = false
    for (let count = 0; count < EXPIRED_AT_ONCE; count += 1) {
      const expired = this.#expired.pop()
      if (expired === undefined) break
      const entry = index.get(expired.lo, expired.hi)
      if (entry === undefined || entry.expires > second || entry.blobUnits === 0) continue
      try {
        const owner = await this.#blobs.nameOf(entry)
        // What cannot be read goes with its segment.
        if (owner === undefined) continue
        went = (await this.#forgetOne({ entry, ...owner, expired: true })) || went
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') tally.diskErrors += 1
      }
    }
    return went
  }

  /** Takes it out of the index; says whether it was there. Its blob is still to be removed. */
  #leave({ entry, key, expired }: Leaving): boolean {
    const { index, tally } = this.#core
    if (!index.removeAt(entry)) return false
    if (expired) tally.expirations += 1
    else tally.evictions += 1
    this.#core.onEvict(key, expired ? 'expired' : 'size')
    return true
  }

  async #removeBlob({ entry, keyHash, blobSequence }: Leaving): Promise<void> {
    if (blobSequence === undefined) return
    await this.#blobs.remove({ hash: keyHash }, blobSequence, blobAllotment(entry.blobUnits))
  }

  async #remove(segment: Segment): Promise<void> {
    const { files, ledger, dir, segments, config, env, tally } = this.#core
    await this.#blobs.settled()
    segments.delete(segment)
    try {
      await files.remove(segmentPath(dir, segment.number), () => ledger.release(segment.charged))
      if (config.durability === 'power') await syncFolder(env, logFolder(dir))
    } catch {
      // It stays charged; the next open removes what is older than the oldest in use.
      tally.diskErrors += 1
    }
  }
}

/** The record of a delete. */
export function deletion(keyHash: Buffer): RecordParts {
  return { ...bare(KIND.delete), body: keyHash }
}

function markerOf(head: RecordHead, bytes: Buffer, at: number): Marker | undefined {
  // Doubt is said again by each segment; ends and batches mean nothing elsewhere.
  if (head.kind !== KIND.delete && head.kind !== KIND.clear) return undefined
  const body = Buffer.from(bytes.subarray(at + FIXED_HEAD, at + head.headBytes))
  return {
    parts: { ...bare(head.kind), body },
    sequence: head.sequence,
    lo: body.length === 0 ? 0 : body.readUInt32LE(0),
    hi: body.length === 0 ? 0 : body.readUInt32LE(4),
  }
}
