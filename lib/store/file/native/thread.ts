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
  /** What large values are gathered in. */
  readonly stages: Stages
}

/** Bytes that are gathered for one call. */
const STAGE = 256 * 1024
/** Those that wait for the next draft, at most. */
const MOST_STAGES = 16

/** Memory that drafts gather large values in, used again: memory that is touched for the first time costs more than the copy into it. */
export class Stages {
  readonly #free: Buffer[] = []

  /** At least `bytes`, whose content is anything. */
  take(bytes: number): Buffer {
    return (bytes <= STAGE ? this.#free.pop() : undefined) ?? Buffer.allocUnsafeSlow(Math.max(STAGE, bytes))
  }

  /** Nobody may look at it any more. */
  give(stage: Buffer): void {
    if (stage.length === STAGE && this.#free.length < MOST_STAGES) this.#free.push(stage)
  }
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
  thread = { addon, numbers, operations, block, stages: new Stages() }
  return thread
}
