import type { Addon } from '../../../native/addon.js'
import { Block } from '../../../native/block.js'
import { BLOCK_USED } from '../../../native/file-numbers.js'
import { Operations } from './operations.js'

/** What the native file stores of one thread share. */
export interface FileThread {
  readonly addon: Addon
  readonly numbers: Float64Array
  readonly operations: Operations
  /** What small records are read into. */
  readonly block: Block
}

let thread: FileThread | undefined

/** That of this thread, made when the first store is opened. */
export function fileThreadOf(addon: Addon): FileThread {
  if (thread?.addon === addon) return thread
  const operations = new Operations(addon)
  const { numbers } = operations
  const block = new Block(
    (bytes, used) => addon.fileBlock(bytes, used),
    () => numbers[BLOCK_USED]!,
  )
  thread = { addon, numbers, operations, block }
  return thread
}
