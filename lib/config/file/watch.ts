import { type FSWatcher, watch } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Clock, Timer } from '../../clock.js'

/** Whoever writes a file does it in more than one step: it is looked at when it has been quiet for so long, in ms. */
export const QUIET_MS = 100
/** File systems that tell of nothing, such as NFS, are looked at so often, in ms. */
export const LOOK_MS = 2000

/** Something that is followed. */
export interface Following {
  /** Resolves when nothing is looked at any more, and `onChange` has ended. */
  close(): Promise<void>
}

/**
 * Calls `onChange` once at first, and whenever `file` may be another: it was written, or replaced by another of that name, or a link on the
 * way to it leads elsewhere, as in a config map of Kubernetes. The folder is watched, for a file that is replaced takes its watcher with it; and it
 * is looked at from time to time, whatever the system tells. Neither keeps the process.
 *
 * @param onChange must not reject; never called before the one before has ended
 */
export function follow(file: string, clock: Clock, onChange: () => Promise<void>): Following {
  let watcher: FSWatcher | undefined
  let quiet: Timer | undefined
  let look: Timer | undefined
  let known: string | undefined
  let closed = false
  let running = Promise.resolve()
  let waiting = false

  const changed = async (): Promise<void> => {
    waiting = false
    if (closed) return
    const seen = await fingerprint(file)
    if (seen === known || closed) return
    // Before it is read: what is written meanwhile is seen the next time.
    known = seen
    await onChange()
  }

  const check = (): void => {
    if (closed || waiting) return
    waiting = true
    running = running.then(changed)
  }

  const soon = (): void => {
    if (closed) return
    quiet?.cancel()
    quiet = clock.after(QUIET_MS, check)
  }

  const again = (): void => {
    look = clock.after(LOOK_MS, () => {
      check()
      again()
    })
  }

  const unwatch = (): void => {
    watcher?.close()
    watcher = undefined
  }

  try {
    watcher = watch(dirname(file), { persistent: false }, soon)
    // The folder was removed, or there are too many watchers: it is still looked at.
    watcher.on('error', unwatch)
  } catch {
    // The same; where there is no folder, `onChange` finds out.
    watcher = undefined
  }
  check()
  again()
  return {
    close() {
      closed = true
      unwatch()
      quiet?.cancel()
      look?.cancel()
      return running
    },
  }
}

/** Differs when the file does. */
async function fingerprint(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
    return [await realpath(file), dev, ino, size, mtimeNs, ctimeNs].join(' ')
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}
