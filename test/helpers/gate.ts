import { setImmediate as turn } from 'node:timers/promises'

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

/** Resolves when `condition` holds; fails after so many turns that nothing can be under way any more. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 10_000; i += 1) {
    if (condition()) return
    await turn()
  }
  throw new Error(`waited in vain until ${what}`)
}
