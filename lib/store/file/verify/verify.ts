import { resolve } from 'node:path'
import { systemClock } from '../../../clock.js'
import type { StoreContext } from '../../store.js'
import { codeOf, type Env, O_NOFOLLOW, O_RDONLY, readFully, systemEnv } from '../env.js'
import { openFailure } from '../failure.js'
import { DIRECTORY_BYTES, type DirectoryHeader, encodeDirectory } from '../format/directory.js'
import {
  blobOf,
  DIRECTORY_FILE,
  imageName,
  imageOf,
  isDirectoryDraft,
  LOCK_FOLDER,
  LOG_FOLDER,
  partitionName,
  partitionOf,
  segmentName,
  segmentOf,
  tagsOf,
} from '../format/names.js'
import { MAX_SEGMENT } from '../format/numbers.js'
import { decodeSegment, SEGMENT_HEADER } from '../format/segment.js'
import { type Core, newTally, segmentPath } from '../js/core.js'
import { makeFolder, readDirectory } from '../js/directory.js'
import { coreOf } from '../js/open.js'
import { listLog, recover } from '../js/recovery.js'
import type { FileSeams } from '../js/store.js'
import { takeLock } from '../lock.js'
import { type FileConfig, readFileOptions } from '../options.js'
import { headerOf, whatIsWrong } from './image.js'
import { firstByte, LogCheck } from './log.js'
import { type Changes, lockingEnv, readOnlyEnv } from './read-only-env.js'
import { repair, repairHeader } from './repair.js'
import { Findings, type VerifyReport } from './report.js'
import { checkTags } from './tags.js'

export interface VerifyOptions {
  /** Drop what is damaged. Default false: nothing that is in the directory changes. */
  readonly repair?: boolean
  /** Told how many bytes of how many have been looked through. */
  readonly onProgress?: (done: number, total: number) => void
  /** What a test may replace. */
  readonly env?: Env
}

/** No directory is larger, so nothing is evicted. */
const NO_BOUND = 2 ** 49
const MiB = 2 ** 20
const BYTES_PER_NEWS = MiB

/**
 * Looks through a directory of the file store that nobody has open: its header, the image of its index, every record, every
 * chunk of every value, what nothing refers to. Docs: reference/cli.md.
 *
 * @throws `ERR_DREY_LOCKED` with the owner; `ERR_DREY_FORMAT` for a newer format; `ERR_DREY_CONFIG` for what is no directory of
 * drey's; `ERR_DREY_CORRUPT` when neither copy in `DREY` is whole; `ERR_DREY_IO`, `ERR_DREY_NO_SPACE`
 */
export async function verifyDirectory(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const dir = resolve(path)
  const { env = systemEnv } = options
  const header = await readDirectory(dir, env)
  const findings = new Findings()
  const context: StoreContext = { now: Date.now, onEvict: () => undefined, hearsEvictions: () => false }
  await makeFolder(env, `${dir}/${LOCK_FOLDER}`).catch((error: unknown) => {
    throw openFailure(error, dir, 'making the folder of locks')
  })
  const lock = await takeLock(dir, {
    env: lockingEnv(env),
    now: Date.now,
    pause: (ms) => new Promise((done) => void setTimeout(done, ms)),
  })
  let found: Omit<VerifyReport, 'repaired'>
  try {
    found = await look(dir, header, env, findings, context, options.onProgress)
    const repairs = options.repair === true && findings.counts.header > 0
    if (repairs) await repairHeader(dir, header, env)
  } catch (error) {
    throw openFailure(error, dir, 'looking through the directory')
  } finally {
    await lock.release()
  }
  if (options.repair !== true || (!findings.damaged && findings.leftovers.length === 0)) {
    return { ...found, repaired: false }
  }
  // Who opens it between, opens it as it is; what was found is of places in the log, and those are never used again.
  const seams: FileSeams = { env, clock: systemClock, closeWithin: 0 }
  const config = boundless(dir, header, await longestSegment(dir, env))
  await repair(config, seams, context, findings).catch((error: unknown) => {
    throw openFailure(error, dir, 'repairing the directory')
  })
  return { ...found, repaired: true }
}

/** Tells how far it is, a MiB at a time; nothing before `begin`. */
class Progress {
  readonly #tell: VerifyOptions['onProgress']
  #total = 0
  #done = 0
  #told = 0

  constructor(tell: VerifyOptions['onProgress']) {
    this.#tell = tell
  }

  begin(total: number): void {
    this.#total = total
    this.#done = 0
    this.#tell?.(0, total)
  }

  add(bytes: number): void {
    this.#done += bytes
    if (this.#total === 0 || this.#done - this.#told < BYTES_PER_NEWS) return
    this.#told = this.#done
    // Some places are read twice.
    this.#tell?.(Math.min(this.#done, this.#total), this.#total)
  }

  end(): void {
    this.#tell?.(this.#total, this.#total)
  }
}

async function look(
  dir: string,
  header: DirectoryHeader,
  system: Env,
  findings: Findings,
  context: StoreContext,
  onProgress: VerifyOptions['onProgress'],
): Promise<Omit<VerifyReport, 'repaired'>> {
  const changes: Changes = { unlinked: new Set(), truncated: new Map() }
  const progress = new Progress(onProgress)
  const env = readOnlyEnv(system, changes, (bytes) => progress.add(bytes))
  await checkHeader(dir, header, env, findings)
  const bytes = await listNames(dir, header, env, findings)
  const listed = await listLog({ env, dir }).catch((error: unknown) => {
    // An open makes the folder.
    if (codeOf(error) === 'ENOENT') return { segments: [], images: [] }
    throw error
  })
  const config = boundless(dir, header, MiB)
  const seams = { env, clock: systemClock }
  const core = await coreOf(config, seams, newTally(), context, header, listed.segments[0] ?? 1)
  const { image, lost, broken, summary } = await recover(core, listed)
  // Their records are there, and their blobs are not: to be told of where the records are met.
  for (const entry of lost) core.index.put(entry)
  const [entries, blobs, segments] = [core.index.size, core.segments.blobs, core.segments.size]

  progress.begin(bytes)
  await checkImages(core, listed, image?.number, findings)
  await checkUnused(core, listed.segments, broken, findings)
  const log = new LogCheck(core, findings)
  for (const { number } of core.segments.all()) {
    const path = segmentPath(dir, number)
    const { size } = await env.status(path)
    const end = changes.truncated.get(path) ?? size
    if (end < size && summary.tornBytes > 0) {
      findings.leave(`${LOG_FOLDER}/${segmentName(number)}`, `what was being written, from ${end} on`)
    }
    await log.check(number, end)
  }
  log.finish()
  await checkOrphans(core, log.named, findings)
  await checkTags(core, summary.clean, findings)
  progress.end()
  return {
    // In one that was never written to there is nothing to close.
    closed: summary.clean || (listed.segments.length === 0 && listed.images.length === 0),
    segments,
    records: findings.records,
    entries,
    blobs,
    bytes,
    damages: findings.damages,
    counts: findings.counts,
    unsound: findings.unsound.length,
    leftovers: findings.leftovers,
    strange: findings.strange,
  }
}

async function checkHeader(
  dir: string,
  header: DirectoryHeader,
  env: Env,
  findings: Findings,
): Promise<void> {
  const fd = await env.open(`${dir}/${DIRECTORY_FILE}`, O_RDONLY | O_NOFOLLOW)
  try {
    const bytes = await readFully(env, fd, DIRECTORY_BYTES + 1, 0)
    const whole = encodeDirectory(header)
    if (bytes.equals(whole)) return
    const at = whole.findIndex((byte, index) => byte !== bytes[index])
    const what = 'is not what was written; one copy of what it says is whole'
    findings.damage('header', DIRECTORY_FILE, at === -1 ? whole.length : at, what)
  } finally {
    await env.close(fd)
  }
}

/** Names that are none of drey's are noted. Says what the others take, in bytes. */
async function listNames(
  dir: string,
  header: DirectoryHeader,
  env: Env,
  findings: Findings,
): Promise<number> {
  let bytes = 0
  for (const { name } of await env.list(dir)) {
    const partition = partitionOf(name, header.partitions)
    if (isDirectoryDraft(name)) {
      findings.leave(name, 'what was being written when the directory was made')
      findings.orphans.push(`${dir}/${name}`)
    } else if (name === LOG_FOLDER || partition !== undefined) {
      for (const { name: file, kind } of await env.list(`${dir}/${name}`)) {
        const known =
          partition === undefined
            ? segmentOf(file) !== undefined || imageOf(file) !== undefined || tagsOf(file) !== undefined
            : kind === 'file' && blobOf(file) !== undefined
        if (known) bytes += (await env.status(`${dir}/${name}/${file}`)).size
        else findings.strange.push(`${name}/${file}`)
      }
    } else if (name !== DIRECTORY_FILE && name !== LOCK_FOLDER) {
      findings.strange.push(name)
    }
  }
  return bytes
}

/** @param taken the number of the one that an open takes, which is whole */
async function checkImages(
  core: Core,
  listed: { readonly segments: readonly number[]; readonly images: readonly number[] },
  taken: number | undefined,
  findings: Findings,
): Promise<void> {
  for (const number of listed.images) {
    if (number === taken) continue
    const file = `${LOG_FOLDER}/${imageName(number)}`
    if (number < (taken ?? 0)) {
      findings.leave(file, 'an image of the index before the last one')
      continue
    }
    const wrong = await whatIsWrong(core, number)
    if (wrong === 'begun') findings.leave(file, 'an image of the index that was being written')
    else if (wrong !== undefined) findings.damage('image', file, wrong.offset, wrong.what)
  }
  const image = taken === undefined ? undefined : await headerOf(core, taken)
  if (image === undefined) return
  const file = `${LOG_FOLDER}/${segmentName(image.segment)}`
  if (!listed.segments.includes(image.segment)) {
    // Reclaimed, if there are later ones.
    if ((listed.segments.at(-1) ?? 0) > image.segment) return
    findings.damage('segment', file, 0, 'the last file of the log that the image knows is not there')
    return
  }
  const { size } = await core.env.status(segmentPath(core.dir, image.segment))
  if (size >= image.offset) return
  findings.harm('segment', image.segment, file, size, `it ends before ${image.offset}, which the image knows`)
}

/** Segments that an open takes nothing from. */
async function checkUnused(
  core: Core,
  numbers: readonly number[],
  broken: ReadonlyArray<{ readonly number: number }>,
  findings: Findings,
): Promise<void> {
  const { env, dir, header, contexts } = core
  for (const number of numbers) {
    if (core.segments.get(number) !== undefined) continue
    const file = `${LOG_FOLDER}/${segmentName(number)}`
    const fd = await env.open(segmentPath(dir, number), O_RDONLY | O_NOFOLLOW)
    try {
      const bytes = await readFully(env, fd, SEGMENT_HEADER, 0)
      const whole = decodeSegment(bytes, number, header.storeId, contexts.segment) !== undefined
      const isBroken = broken.some((one) => one.number === number)
      if (!isBroken && (whole || number !== numbers.at(-1))) {
        findings.leave(file, 'a file of the log that is older than the oldest in use')
        continue
      }
      const { size } = await env.statusOf(fd)
      if (!isBroken && (await firstByte(env, fd, 0, size)) === undefined) {
        findings.leave(file, 'a file of the log that was being begun')
        continue
      }
      findings.harm('segment', number, file, 0, 'the head of a file of the log is not what was written')
    } finally {
      await env.close(fd)
    }
  }
}

/** @param named paths, below the directory, of blobs that there must be */
async function checkOrphans(core: Core, named: ReadonlySet<string>, findings: Findings): Promise<void> {
  const { env, dir, header } = core
  for (let partition = 0; partition < header.partitions; partition += 1) {
    const folder = partitionName(partition)
    const entries = await env.list(`${dir}/${folder}`).catch((error: unknown) => {
      // Made when it is needed.
      if (codeOf(error) === 'ENOENT') return []
      throw error
    })
    for (const { name, kind } of entries) {
      const file = `${folder}/${name}`
      if (kind !== 'file' || blobOf(name) === undefined || named.has(file)) continue
      findings.leave(file, 'the file of a value that no entry has')
      findings.orphans.push(`${dir}/${file}`)
    }
  }
}

/** What a store has that keeps all there is. */
export function boundless(dir: string, { partitions }: DirectoryHeader, segmentBytes: number): FileConfig {
  const [maxBytes, maxIndexBytes] = [NO_BOUND, NO_BOUND]
  const common = { dir, partitions, segmentBytes, minFree: 0, durability: 'power', policy: 'fifo' } as const
  return readFileOptions({ ...common, maxBytes, maxIndexBytes })
}

/** As long as the longest there is, so that a store of a small bound can reclaim what was moved. */
async function longestSegment(dir: string, env: Env): Promise<number> {
  let longest = MiB
  for (const { name } of await env.list(`${dir}/${LOG_FOLDER}`)) {
    if (segmentOf(name) === undefined) continue
    longest = Math.max(longest, (await env.status(`${dir}/${LOG_FOLDER}/${name}`)).size)
  }
  return Math.min(longest, MAX_SEGMENT)
}
