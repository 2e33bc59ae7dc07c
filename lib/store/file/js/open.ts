import type { StoreContext } from '../../store.js'
import { syncFolder } from '../env.js'
import { openFailure } from '../failure.js'
import type { RecoverySummary } from '../file-store.js'
import type { DirectoryHeader } from '../format/directory.js'
import { SpaceLedger } from '../ledger.js'
import { takeLock } from '../lock.js'
import type { FileConfig } from '../options.js'
import { allotment } from '../space.js'
import { tell } from '../told.js'
import { Blobs } from './blobs.js'
import { type Core, contextsOf, logFolder, segmentPath, type Tally } from './core.js'
import { openDirectory } from './directory.js'
import { OpenFiles } from './files.js'
import { FreeSpace } from './free-space.js'
import { type ImageFile, type ImageState, writeImage } from './image.js'
import { turnPolicy } from './policy.js'
import { Reclaimer } from './reclaim.js'
import { listLog, type Recovered, recover } from './recovery.js'
import { Segments } from './segments.js'
import type { FileSeams } from './store.js'
import { type IndexEntry, IndexTable } from './table.js'
import { TagLog } from './tag-log.js'
import { isRoom, Writer } from './writer.js'

/** A directory that is open, recovered, and ready to be written to. */
export interface Opened {
  readonly core: Core
  readonly blobs: Blobs
  readonly reclaimer: Reclaimer
  readonly writer: Writer
  readonly tags: TagLog
  readonly summary: RecoverySummary
  /** Entries that were dropped, and would come back without a delete. */
  readonly lost: readonly IndexEntry[]
  /** Blobs of lower numbers were written out before this open. */
  readonly syncedBelow: number
  /** What comes has this sequence, or a greater one. */
  readonly firstSequence: number
  /** Writes an image in place of the one before. */
  image(state: ImageState): Promise<void>
  /** Closes files and gives the directory up. */
  end(): Promise<void>
}

/** @throws `ERR_DREY_*` with the path and the cause */
export async function openDirectoryStore(
  config: FileConfig,
  seams: FileSeams,
  tally: Tally,
  context: StoreContext,
): Promise<Opened> {
  const { env, clock } = seams
  const began = clock.monotonic()
  const header = await openDirectory(config, env, context.now())
  const lock = await takeLock(config.dir, {
    env,
    now: () => context.now(),
    pause: (ms) => new Promise((resolve) => void setTimeout(resolve, ms)),
  })
  let cleanUp: (() => Promise<unknown>) | undefined
  try {
    const listed = await listLog({ env, dir: config.dir })
    const core = await coreOf(config, seams, tally, context, header, listed.segments[0] ?? 1)
    const { ledger } = core
    const recovered = await recover(core, listed)
    const firstSequence = core.nextSequence
    const blobs = new Blobs(core)
    const reclaimer: Reclaimer = new Reclaimer(core, blobs, () => writer)
    const writer: Writer = new Writer(core, (bytes) => reclaimer.starving(bytes))
    cleanUp = async () => {
      await writer.close(false)
      await core.files.close()
    }
    await beginLog(core, writer, recovered)
    await removeBroken(core, recovered.broken)
    const tags = tagLogOf(core, reclaimer)
    await tags.open(recovered.summary.clean)
    cleanUp = async () => {
      await tags.end().catch(() => undefined)
      await writer.close(false)
      await core.files.close()
    }
    if (!(await reclaimer.makeRoom(0, 0))) {
      throw Object.assign(
        new Error(`what is in it cannot be brought down to maxBytes, ${config.maxBytes} bytes`),
        {
          code: 'ENOSPC',
        },
      )
    }
    let image = recovered.image
    const damagedBytes = recovered.summary.damagedBytes + tags.damagedBytes
    const summary = { ...recovered.summary, damagedBytes, milliseconds: clock.monotonic() - began }
    tell(config, summary, ledger.total)
    let ended = false
    const end = async (): Promise<void> => {
      if (ended) return
      ended = true
      await tags.end().catch(() => {
        tally.diskErrors += 1
      })
      await core.files.close()
      await lock.release()
    }
    return {
      core,
      blobs,
      reclaimer,
      writer,
      tags,
      summary,
      syncedBelow: recovered.blobsSynced ? firstSequence : 0,
      firstSequence,
      lost: recovered.lost,
      image: (state) =>
        reclaimer.exclusively(async () => {
          const before: ImageFile[] = image === undefined ? [] : [image]
          image = (await writeImage(core, writer, before, state)) ?? image
        }),
      end,
    }
  } catch (error) {
    await cleanUp?.()
    await lock.release()
    throw openFailure(error, config.dir, 'recovering the directory')
  }
}

/** Where nothing has to be said, a log that has no room for a segment waits for the first write that finds some: what is there answers meanwhile. */
async function beginLog({ doubt }: Core, writer: Writer, { broken, lost }: Recovered): Promise<void> {
  try {
    await writer.begin()
  } catch (error) {
    if (!isRoom(error) || doubt > 0 || broken.length > 0 || lost.length > 0) throw error
  }
}

function tagLogOf(core: Core, reclaimer: Reclaimer): TagLog {
  const { env, dir, config, contexts, ledger, bootId } = core
  return new TagLog({
    env,
    folder: logFolder(dir),
    context: contexts.tags,
    maxBytes: config.maxBytes,
    synced: () => core.config.durability === 'power',
    bootId,
    reserve: (bytes) => reclaimer.take(bytes),
    charge: (bytes) => ledger.charge(bytes),
    release: (bytes) => ledger.release(bytes),
  })
}

/** What the parts of a store share, before anything was recovered. @param oldest no greater than the number of any segment that there is */
export async function coreOf(
  config: FileConfig,
  { env, clock }: Pick<FileSeams, 'env' | 'clock'>,
  tally: Tally,
  context: StoreContext,
  header: DirectoryHeader,
  oldest: number,
): Promise<Core> {
  const segments = new Segments()
  const ledger = new SpaceLedger(config.maxBytes, 2 * allotment(config.segmentBytes))
  const index = new IndexTable(oldest, segments.account)
  return {
    dir: config.dir,
    config,
    env,
    clock,
    header,
    contexts: contextsOf(header.storeId),
    ledger,
    index,
    segments,
    files: new OpenFiles(env, ledger, config.openFiles),
    policy: turnPolicy(config.policy, () => index.size),
    free: new FreeSpace(env, clock, config.dir, config.minFree),
    tally,
    bootId: (await env.bootId()) ?? Buffer.alloc(16),
    nextSequence: 1,
    nextSegment: 1,
    nextImage: 1,
    doubt: 0,
    now: () => context.now(),
    onEvict: (key, reason) => context.onEvict(key, reason),
    onCorrupt: (key) => context.onCorrupt?.(key),
  }
}

/** What is in doubt because of them is in the log now: they need not be found again. */
async function removeBroken({ env, dir, config, ledger }: Core, broken: Recovered['broken']): Promise<void> {
  for (const { number, charged } of broken) {
    await env.unlink(segmentPath(dir, number))
    ledger.release(charged)
  }
  if (broken.length > 0 && config.durability === 'power') await syncFolder(env, logFolder(dir))
}
