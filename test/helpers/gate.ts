import { setTimeout as pause, setImmediate as turn } from 'node:timers/promises'

/** Something that a test opens when it is time. */
export interface Gate {
  readonly opened: Promise<void>
  readonly isOpen: boolean
  open(): void
}

export function gate(): Gate {
  let isOpen = false
  let resolve: () => void
  const opened = new Promise<void>((done) => {
    resolve = done
  })
  return {
    opened,
    get isOpen() {
      return isOpen
    },
    open() {
      isOpen = true
      resolve()
    },
  }
}

/** Lets what is under way go on: a number of turns of the event loop, and all microtasks between them. */
export async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i += 1) await turn()
}

/**
 * Resolves when `condition` holds; fails after so many turns that nothing of ours can be under way any more. Then the system gets
 * its time: what a disk does takes as long as it takes.
 */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 11_000; i += 1) {
    if (condition()) return
    if (i < 10_000) await turn()
    else await pause(10)
  }
  throw new Error(`waited in vain until ${what}`)
}
