import type { Addon } from '../../../native/addon.js'
import { Block } from './block.js'
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
  thread = { addon, numbers, block: new Block(addon, numbers), news: new News(addon) }
  return thread
}
