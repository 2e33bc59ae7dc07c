import type { Addon } from '../../../native/addon.js'
import { Block } from '../../../native/block.js'
import { BLOCK_USED } from '../../../native/numbers.js'
import { News } from './news.js'

/** What the native memory stores of one thread share. */
export interface Thread {
  readonly addon: Addon
  readonly numbers: Float64Array
  readonly block: Block
  readonly news: News
}

let thread: Thread | undefined

/** That of this thread, made when the first store is opened. */
export function threadOf(addon: Addon): Thread {
  if (thread?.addon === addon) return thread
  const numbers = addon.memoryNumbers()
  const block = new Block(
    (bytes, used) => addon.memoryBlock(bytes, used),
    () => numbers[BLOCK_USED]!,
  )
  thread = { addon, numbers, block, news: new News(addon) }
  return thread
}
