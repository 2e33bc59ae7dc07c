import { ClosedError } from '../../../errors.js'
import type { Metadata } from '../../store.js'
import { codeOf } from '../env.js'
import type { ReaderHost } from './blob-reader.js'
import { readMetadata } from './reader.js'
import type { IndexEntry } from './table.js'

/** Tries for an entry that moves while it is read. */
const LOOKS = 8

/**
 * Keys and metadata of all entries. The index is gone through shard by shard, each as it was when its turn came: an identity is
 * in one shard, and is given once.
 */
export async function* scan(host: ReaderHost): AsyncGenerator<readonly [string, Metadata], void, undefined> {
  for (let shard = 0; shard < host.core.index.shards; shard += 1) {
    const some = host.core.index.snapshot(shard)
    // In the order of the log, for the disk's sake.
    some.sort((a, b) => a.segment - b.segment || a.offset - b.offset)
    for (const entry of some) {
      const found = await read(host, entry)
      if (host.closed) throw new ClosedError('the file store is closed')
      if (found !== undefined) yield found
    }
  }
}

async function read(host: ReaderHost, entry: IndexEntry): Promise<readonly [string, Metadata] | undefined> {
  for (let look = 0; look < LOOKS; look += 1) {
    const current = host.core.index.get(entry.lo, entry.hi)
    if (current === undefined) return undefined
    try {
      const found = await readMetadata(host, current)
      if (typeof found === 'object') return found
      const there = host.core.index.get(entry.lo, entry.hi)
      // What is damaged is dropped by who looks for it by its key.
      if (there?.segment === current.segment && there.offset === current.offset) return undefined
    } catch (error) {
      if (codeOf(error) === 'ENOENT') continue
      if (codeOf(error) !== 'ERR_DREY_CLOSED') host.core.tally.diskErrors += 1
      return undefined
    }
  }
  return undefined
}
