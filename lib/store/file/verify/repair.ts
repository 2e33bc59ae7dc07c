import { NoSpaceError } from '../../../errors.js'
import type { StoreContext } from '../../store.js'
import { codeOf, O_NOFOLLOW, O_RDWR, writeFully } from '../env.js'
import { type DirectoryHeader, encodeDirectory } from '../format/directory.js'
import { DIRECTORY_FILE } from '../format/names.js'
import { newTally } from '../js/core.js'
import { type Opened, openDirectoryStore } from '../js/open.js'
import { deletion } from '../js/reclaim.js'
import type { FileSeams } from '../js/store.js'
import type { IndexEntry } from '../js/table.js'
import type { FileConfig } from '../options.js'
import type { Findings } from './report.js'

/** Writes what `DREY` says to it anew: at least one copy of it is whole, and stays the same. */
export async function repairHeader(
  dir: string,
  header: DirectoryHeader,
  env: FileSeams['env'],
): Promise<void> {
  const bytes = encodeDirectory(header)
  const fd = await env.open(`${dir}/${DIRECTORY_FILE}`, O_RDWR | O_NOFOLLOW)
  try {
    await writeFully(env, fd, bytes, 0)
    await env.truncate(fd, bytes.length)
    await env.sync(fd)
  } finally {
    await env.close(fd)
  }
}

/**
 * Opens the directory, drops what is unsound, moves what is sound out of segments with damage in them, and closes it.
 *
 * Whatever was lost may have been a delete. So no segment with damage goes before all that is older went, and nothing can come
 * back; and what an open finds to be in doubt is in doubt from then on.
 *
 * @throws `ERR_DREY_*`; what was done until then is as good as if it had ended there
 */
export async function repair(
  config: FileConfig,
  seams: FileSeams,
  context: StoreContext,
  findings: Findings,
): Promise<void> {
  const opened = await openDirectoryStore(config, seams, newTally(), context)
  try {
    const { core, writer, reclaimer, blobs } = opened
    for (const entry of opened.lost) await bury(opened, entry)
    for (const entry of findings.unsound) {
      if (!core.index.removeAt(entry)) continue
      blobs.drop(entry)
      await bury(opened, entry)
    }
    await blobs.settled()
    if (!(await reclaimer.evacuate(findings.lastHarmed))) {
      throw new NoSpaceError(
        `${config.dir}: what is sound could not be moved out of segments that are not; free some of the disk, and repair it again`,
      )
    }
    for (const path of findings.orphans) await remove(seams.env, path)
    await core.files.settled()
    const ended = await writer.close(true)
    if (ended) await opened.image({ clean: true, blobsSynced: false })
  } finally {
    await opened.writer.close(false)
    await opened.end()
  }
}

async function remove(env: FileSeams['env'], path: string): Promise<void> {
  try {
    await env.unlink(path)
  } catch (error) {
    // The open before has removed it.
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** Else what it had replaced could come back. */
async function bury({ core, writer }: Opened, { lo, hi }: IndexEntry): Promise<void> {
  const hash = Buffer.alloc(16)
  hash.writeUInt32LE(lo, 0)
  hash.writeUInt32LE(hi, 4)
  const outcome = await writer.append([
    { parts: deletion(hash), lo, wanted: () => !core.index.has(lo, hi), apply: () => undefined },
  ])
  if (outcome === 'no-room') throw new NoSpaceError(`${core.dir}: a delete could not be written`)
}
