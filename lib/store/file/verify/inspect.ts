import { resolve } from 'node:path'
import { systemClock } from '../../../clock.js'
import { assertKey } from '../../../keys.js'
import type { Metadata, StoreContext } from '../../store.js'
import { codeOf, type Env, O_NOFOLLOW, O_RDONLY, readFully, systemEnv } from '../env.js'
import { openFailure } from '../failure.js'
import { chunkCount } from '../format/chunk.js'
import type { DirectoryHeader } from '../format/directory.js'
import { decodeMetadata } from '../format/metadata.js'
import { blobOf, blobPath, LOG_FOLDER, partitionName, segmentName } from '../format/names.js'
import { FORMAT_VERSION, MAX_HEAD } from '../format/numbers.js'
import { blobSequenceOf, decodeRecord, isBlob, KIND, partsOf } from '../format/record.js'
import { type Core, headContext, keyIdOf, newTally, segmentPath } from '../js/core.js'
import { readDirectory } from '../js/directory.js'
import { coreOf } from '../js/open.js'
import { listLog, recover } from '../js/recovery.js'
import { ownerOf } from '../lock.js'
import { type Changes, readOnlyEnv } from './read-only-env.js'
import { boundless } from './verify.js'

/** A file of the log. */
export interface InspectedSegment {
  readonly file: string
  readonly bytes: number
  /** Current entries in it, and what they take with their blobs, in bytes. */
  readonly entries: number
  readonly entryBytes: number
}

/** A folder of large values. */
export interface InspectedPartition {
  readonly folder: string
  readonly files: number
  readonly bytes: number
}

/** An entry, and where it lies. */
export interface InspectedEntry {
  readonly key: string
  /** File and place of its record. */
  readonly file: string
  readonly offset: number
  readonly sequence: number
  /** Of the value, before and after compression. */
  readonly size: number
  readonly storedBytes: number
  readonly chunks: number
  readonly chunkBytes: number
  /** The file of its value, where it has one of its own. */
  readonly blob: string | undefined
  /** The machine went down since: it has to be revalidated. */
  readonly inDoubt: boolean
  readonly metadata: Metadata
}

/** What a directory of the file store has. */
export interface InspectReport {
  readonly dir: string
  readonly formatVersion: number
  /** Epoch milliseconds. */
  readonly madeAt: number
  /** Who has it open, in words; undefined for nobody. */
  readonly owner: string | undefined
  readonly closed: boolean
  readonly entries: number
  readonly blobs: number
  /** Of all files of the log and of values. */
  readonly bytes: number
  readonly segments: readonly InspectedSegment[]
  readonly partitions: readonly InspectedPartition[]
  /** Of the key that was asked for, if it is there: `'damaged'` where what lies there is not what was written. */
  readonly entry: InspectedEntry | 'damaged' | undefined
}

/** Looks again when files of an owner go while they are looked at. */
const LOOKS = 5
const MiB = 2 ** 20

/**
 * Lists a directory of the file store, and `key` in it. Takes no lock and writes nothing: while somebody has it open, it says what was there a moment
 * ago.
 *
 * @throws `ERR_DREY_KEY`; as `verifyDirectory`, but for `ERR_DREY_LOCKED`
 */
export async function inspectDirectory(
  path: string,
  key?: string,
  system: Env = systemEnv,
): Promise<InspectReport> {
  if (key !== undefined) assertKey(key)
  const dir = resolve(path)
  const header = await readDirectory(dir, system)
  for (let look = 1; ; look += 1) {
    try {
      return await inspect(dir, header, system, key)
    } catch (error) {
      if (codeOf(error) === 'ENOENT' && look < LOOKS) continue
      throw openFailure(error, dir, 'looking at the directory')
    }
  }
}

async function inspect(
  dir: string,
  header: DirectoryHeader,
  system: Env,
  key: string | undefined,
): Promise<InspectReport> {
  const changes: Changes = { unlinked: new Set(), truncated: new Map() }
  const env = readOnlyEnv(system, changes, () => undefined)
  const owner = await ownerOf(dir, env)
  const listed = await listLog({ env, dir }).catch((error: unknown) => {
    // An open makes the folder.
    if (codeOf(error) === 'ENOENT') return { segments: [], images: [] }
    throw error
  })
  const context: StoreContext = { now: Date.now, onEvict: () => undefined, hearsEvictions: () => false }
  const seams = { env, clock: systemClock }
  const config = boundless(dir, header, MiB)
  const core = await coreOf(config, seams, newTally(), context, header, listed.segments[0] ?? 1)
  const { summary } = await recover(core, listed)
  const segments: InspectedSegment[] = []
  for (const { number, live, liveBytes } of core.segments.all()) {
    const { size } = await env.status(segmentPath(dir, number))
    const file = `${LOG_FOLDER}/${segmentName(number)}`
    segments.push({ file, bytes: size, entries: live, entryBytes: liveBytes })
  }
  const partitions = await partitionsOf(core)
  return {
    dir,
    formatVersion: FORMAT_VERSION,
    madeAt: header.madeAt,
    owner,
    closed: owner === undefined && (summary.clean || listed.segments.length === 0),
    entries: core.index.size,
    blobs: core.segments.blobs,
    bytes: [...segments, ...partitions].reduce((sum, { bytes }) => sum + bytes, 0),
    segments,
    partitions,
    entry: key === undefined ? undefined : await entryOf(core, key),
  }
}

async function partitionsOf({ env, dir, header }: Core): Promise<InspectedPartition[]> {
  const all: InspectedPartition[] = []
  for (let partition = 0; partition < header.partitions; partition += 1) {
    const folder = partitionName(partition)
    const names = await env.list(`${dir}/${folder}`).catch((error: unknown) => {
      // Made when it is needed.
      if (codeOf(error) === 'ENOENT') return []
      throw error
    })
    const files = names.filter(({ name, kind }) => kind === 'file' && blobOf(name) !== undefined)
    let bytes = 0
    for (const { name } of files) bytes += (await env.status(`${dir}/${folder}/${name}`)).size
    if (files.length > 0) all.push({ folder, files: files.length, bytes })
  }
  return all
}

async function entryOf(core: Core, key: string): Promise<InspectReport['entry']> {
  const { env, dir, contexts, header, index, doubt } = core
  const id = keyIdOf(header.secret, Buffer.from(key))
  const there = index.get(id.lo, id.hi)
  if (there === undefined) return undefined
  const { segment, offset, length, sequence } = there
  const fd = await env.open(segmentPath(dir, segment), O_RDONLY | O_NOFOLLOW)
  try {
    const bytes = await readFully(env, fd, Math.min(length, MAX_HEAD), offset)
    const head = decodeRecord(bytes, 0, offset, headContext(contexts, segment))
    if (head?.kind !== KIND.put) return 'damaged'
    const parts = partsOf(head)
    // Another key of the same identity: this one is not there.
    if (!bytes.subarray(parts.key, parts.metadata).equals(id.bytes)) return undefined
    const stored = decodeMetadata(bytes.subarray(parts.metadata, parts.table), head.size)
    if (stored === undefined) return 'damaged'
    const { size, storedBytes } = head
    const chunkBytes = 2 ** head.chunkPower
    const blob = isBlob(head) ? blobPath(id.hash, blobSequenceOf(bytes, 0), header.partitions) : undefined
    return {
      key,
      file: `${LOG_FOLDER}/${segmentName(segment)}`,
      offset,
      sequence,
      size,
      storedBytes,
      chunks: chunkCount(size, chunkBytes),
      chunkBytes,
      blob,
      inDoubt: sequence < doubt,
      metadata: stored.metadata,
    }
  } finally {
    await env.close(fd)
  }
}
