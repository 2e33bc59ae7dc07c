import type { Addon } from '../../../native/addon.js'
import { RecordBlock } from './block.js'
import { Operations } from './operations.js'

/** What the native file stores of one thread share. */
export interface FileThread {
  readonly addon: Addon
  readonly numbers: Float64Array
  readonly operations: Operations
  readonly block: RecordBlock
}

let thread: FileThread | undefined

/** That of this thread, made when the first store is opened. */
export function fileThreadOf(addon: Addon): FileThread {
  if (thread?.addon === addon) return thread
  const operations = new Operations(addon)
  const { numbers } = operations
  thread = { addon, numbers, operations, block: new RecordBlock(addon, numbers) }
  return thread
}
