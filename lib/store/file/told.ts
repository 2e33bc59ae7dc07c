import { showSize } from '../../config/units.js'
import { messageOf } from '../../errors.js'
import type { RecoverySummary } from './file-store.js'
import type { FileConfig } from './options.js'

/** One line for the program's log. */
export function tell({ logger, dir }: FileConfig, summary: RecoverySummary, bytes: number): void {
  if (logger === undefined) return
  const { clean, milliseconds, entries, tornBytes, damagedBytes, orphans, doubt, replayed } = summary
  const parts = [
    `file store ${dir}: ${entries} entries, ${showSize(bytes)}, opened in ${Math.round(milliseconds)} ms`,
    clean
      ? 'closed cleanly'
      : `not closed cleanly: ${replayed} records read, ${tornBytes} bytes dropped at the end`,
    ...(orphans > 0 ? [`${orphans} files removed that nothing referred to`] : []),
    ...(damagedBytes > 0 ? [`${damagedBytes} bytes damaged`] : []),
    ...(doubt ? ['entries are to be revalidated'] : []),
  ]
  try {
    if (damagedBytes > 0) logger.warn({ dir, ...summary }, parts.join('; '))
    else logger.info({ dir, ...summary }, parts.join('; '))
  } catch (error) {
    process.emitWarning(`the logger of a file store failed: ${messageOf(error)}`, { type: 'DreyWarning' })
  }
}
